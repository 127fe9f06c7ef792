-- Several sidecars see at once what went wrong: they open one incident of a kind. Of those that are open twice the first one has the whole gap.
update functions_private.incidents i set closed_at = now(), to_lsn = coalesce(i.to_lsn, i.from_lsn)
where i.closed_at is null
  and exists (select from functions_private.incidents first where first.kind = i.kind and first.closed_at is null and first.id < i.id);
create unique index incidents_open on functions_private.incidents (kind) where closed_at is null;

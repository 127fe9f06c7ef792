-- functions_private.require_own_tables(queue) raises unless the tables of a queue are the installation's, or a superuser's who has granted
-- them to its owner: triggers of another owner would run as the sidecar's login when it takes messages.
create or replace function functions_private.require_own_tables(queue text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    owner name := (select pg_get_userbyid(n.nspowner) from pg_namespace n where n.nspname = 'functions_private');
    foreign_table text := (
        select c.relname from pg_class c where c.relnamespace = 'pgmq'::regnamespace
          and c.relname in (pgmq.format_table_name(queue, 'q'), pgmq.format_table_name(queue, 'a'))
          and not (functions_private.is_trusted_owner(c.relowner)
            and (select bool_and(has_table_privilege(owner, c.oid, r)) from unnest(array['select', 'insert', 'update', 'delete']) r))
        limit 1);
begin
    if foreign_table is not null then
        raise exception 'The sidecar may not take messages from the queue %: its table pgmq.% belongs to another role.',
            to_json(queue), quote_ident(foreign_table) using errcode = 'insufficient_privilege',
            hint = format('alter table pgmq.%I owner to %I;', foreign_table, owner);
    end if;
end
$$;
comment on function functions_private.require_own_tables(text) is 'Raises unless the sidecar may take messages from the tables of a queue.';
revoke all on function functions_private.require_own_tables(text) from public;

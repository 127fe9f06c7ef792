-- functions_private.require_own_tables(queue) raises unless the tables of a queue are the installation's, or a superuser's: triggers of
-- another owner would run as the sidecar's login when it takes messages.
create or replace function functions_private.require_own_tables(queue text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    foreign_table text := (
        select c.relname from pg_class c where c.relnamespace = 'pgmq'::regnamespace
          and c.relname in (pgmq.format_table_name(queue, 'q'), pgmq.format_table_name(queue, 'a'))
          and not functions_private.is_trusted_owner(c.relowner) limit 1);
begin
    if foreign_table is not null then
        raise exception 'The sidecar may not take messages from the queue %: its table pgmq.% belongs to another role.',
            to_json(queue), quote_ident(foreign_table) using errcode = 'insufficient_privilege',
            hint = format('alter table pgmq.%I owner to %I;', foreign_table,
                (select pg_get_userbyid(n.nspowner) from pg_namespace n where n.nspname = 'functions_private'));
    end if;
end
$$;
comment on function functions_private.require_own_tables(text) is 'Raises unless the tables of a queue belong to the installation.';
revoke all on function functions_private.require_own_tables(text) from public;

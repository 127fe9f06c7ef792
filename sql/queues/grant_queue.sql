-- functions_private.grant_queue(queue, send, receive): who may send to a queue, and who may also receive from it. Each is a list of roles
-- that replaces the former one, or null.
create or replace function functions_private.grant_queue(queue text, send jsonb, receive jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    messages text := pgmq.format_table_name(queue, 'q');
    archive text := pgmq.format_table_name(queue, 'a');
    sending jsonb := nullif(send, 'null');
    receiving jsonb := nullif(receive, 'null');
    one record;
begin
    -- Also where the schema is the extension's, whose default privileges name only pg_monitor.
    grant usage on schema pgmq to service_role;
    execute format('grant select, insert, update, delete on pgmq.%I, pgmq.%I to service_role', messages, archive);
    execute format('grant select on pgmq.meta, pgmq.%I to service_role', messages || '_msg_id_seq');
    for one in select s.login from functions_private.servers s where to_regrole(quote_ident(s.login)) is not null loop
        execute format('grant select, insert, update, delete on pgmq.%I, pgmq.%I to %I', messages, archive, one.login);
    end loop;
    for one in
        select r.role, r.role in (select functions_private.text_list(coalesce(sending, '[]'))) as sends,
               r.role in (select functions_private.text_list(coalesce(receiving, '[]'))) as receives
        from functions_private.roles r where r.role <> 'service_role' and (sending is not null or receiving is not null)
    loop
        if sending is not null then
            execute format('revoke insert, select (msg_id) on pgmq.%I from %I', messages, one.role);
        end if;
        if receiving is not null then
            execute format('revoke select, update, delete on pgmq.%I from %I', messages, one.role);
            execute format('revoke insert, select on pgmq.%I from %I', archive, one.role);
        end if;
        if one.sends then
            execute format('grant usage on schema pgmq to %I', one.role);
            execute format('grant insert, select (msg_id) on pgmq.%I to %I', messages, one.role);
        end if;
        if one.receives then
            execute format('grant usage on schema pgmq to %I', one.role);
            execute format('grant select, update, delete on pgmq.%I to %I', messages, one.role);
            execute format('grant insert, select on pgmq.%I to %I', archive, one.role);
        end if;
    end loop;
end
$$;
comment on function functions_private.grant_queue(text, jsonb, jsonb) is 'Grants the tables of a queue to those who may send and receive.';
revoke all on function functions_private.grant_queue(text, jsonb, jsonb) from public;

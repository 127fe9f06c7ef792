-- functions_private.validate_redrive_filter(filter) raises when a filter of dead messages is not an object or has an unknown member.
create or replace function functions_private.validate_redrive_filter(filter jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unknown text;
begin
    if jsonb_typeof(filter) is distinct from 'object' then
        raise exception 'the filter must be a JSON object, not %', coalesce(jsonb_typeof(filter), 'null')
            using errcode = 'invalid_parameter_value',
            hint = 'For example: {"error_code": "TIMEOUT"}; {} is every dead message of the queue.';
    end if;
    select k into unknown from jsonb_object_keys(filter) k
        where k not in ('error_code', 'since', 'until', 'dead_letter_queue') limit 1;
    if found then
        raise exception 'unknown member % of the filter', to_json(unknown) using errcode = 'invalid_parameter_value',
            hint = 'The members are error_code, since, until, dead_letter_queue.';
    end if;
    perform functions_private.validate_filter_values(filter);
end
$$;
comment on function functions_private.validate_redrive_filter(jsonb) is 'Raises unless a filter of dead messages is valid.';
revoke all on function functions_private.validate_redrive_filter(jsonb) from public;

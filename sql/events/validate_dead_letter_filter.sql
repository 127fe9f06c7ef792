-- functions_private.validate_dead_letter_filter(filter) raises when a filter of dead letters is not valid.
create or replace function functions_private.validate_dead_letter_filter(filter jsonb) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    perform functions_private.validate_filter(filter, '{id,function,trigger,error_code,since,until}',
        '{"function": "send_welcome"}; {} is every dead letter.');
end
$$;
comment on function functions_private.validate_dead_letter_filter(jsonb) is 'Raises unless a filter of dead letters is valid.';
revoke all on function functions_private.validate_dead_letter_filter(jsonb) from public;

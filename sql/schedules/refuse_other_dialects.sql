-- functions_private.refuse_other_dialects(cron) raises an error that names the product whose notation a text is, and says what to write
-- instead. Returns for everything that may be a cron expression.
create or replace function functions_private.refuse_other_dialects(cron text) returns void
language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    given text := btrim(cron, E' \t\n\r');
    fields text[] := regexp_split_to_array(given, '\s+');
    seconds integer;
    dialect text;
    instead text;
begin
    if given ~* '^(rate|cron|at)\s*\(' then
        dialect := 'EventBridge';
        instead := 'Write five fields, for example */5 * * * * for rate(5 minutes); for at(...) the option run_at.';
    elsif given ~* '^\d{1,5}\s+seconds?$' then
        seconds := substring(given from '^\d+')::integer;
        if seconds between 1 and 59 and 60 % seconds = 0 then
            return;
        end if;
        dialect := 'pg_cron';
        instead := 'A number of seconds must divide 60; others have no fixed times.';
    elsif given ~* '^@(reboot|restart)$' then
        dialect := 'pg_cron and Vixie cron';
        instead := 'A start of the server is no time. Write a time, for example @hourly.';
    elsif given ~* '^@every\s' then
        dialect := 'Go''s cron packages';
        instead := 'Write fields, for example */5 * * * * for @every 5m.';
    elsif given ~ '\.\.|:|\*-\*' or given ~* '^(minutely|hourly|daily|weekly|monthly|quarterly|semiannually|yearly|annually)$' then
        dialect := 'systemd';
        instead := 'Write cron fields, for example 30 10 * * MON-FRI for Mon..Fri 10:30, or a macro such as @daily.';
    elsif cardinality(fields) = 7 then
        dialect := 'Quartz';
        instead := 'Leave the year out; the options starts_at and ends_at limit a schedule.';
    elsif cardinality(fields) = 6 and (fields[6] ~ '^\d{4}([-/,]\d+)*$' or fields[5] like '%?%' or fields[3] like '%?%') then
        dialect := 'EventBridge';
        instead := 'Its sixth field is a year. Leave it out, and write names for the days of the week: MON-FRI.';
    elsif cardinality(fields) in (5, 6) and (fields[cardinality(fields) - 2] = '?' or fields[cardinality(fields)] = '?')
        and fields[cardinality(fields)] ~ '\d' then
        dialect := 'Quartz';
        instead := 'With ? a number of a weekday is ambiguous: Quartz counts Sunday as 1, cron as 0. Write a name, for example MON-FRI.';
    elsif given ~ '(^|[\s,])H([\s/(,]|$)' then
        dialect := 'Jenkins';
        instead := 'Write a time; the option jitter_seconds spreads schedules.';
    else
        return;
    end if;
    raise exception '% is the notation of %, not a cron expression of five or six fields', to_json(left(given, 80)), dialect
        using errcode = 'invalid_parameter_value', hint = instead;
end
$$;
comment on function functions_private.refuse_other_dialects(text) is
    'Raises for the notations of Quartz, EventBridge, systemd and others, and says what to write instead.';
revoke all on function functions_private.refuse_other_dialects(text) from public;

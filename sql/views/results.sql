create or replace view functions.results as
select event_id as id, function, status, result, error_code, error_message, finished_at from functions_private.results;
comment on view functions.results is 'Outcomes of asynchronous invocations (functions.invoke), kept for the retention period.';

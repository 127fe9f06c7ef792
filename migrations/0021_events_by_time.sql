-- The archive of events is searched by time and id. An index by function, which nothing but a person's own search used, was a fifth of the time it took to
-- store an event: a search for a function's events reads those of its time, and what waits or died is found by the tables of deliveries and dead letters.
drop index functions_private.events_function_occurred_at_idx;

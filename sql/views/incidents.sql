create or replace view functions.incidents as
select id, kind, message, from_lsn, to_lsn, opened_at, closed_at from functions_private.incidents;
comment on view functions.incidents is
    'Problems of the replication slot: changes between from_lsn and to_lsn may have been missed. Close with functions.close_incident(id).';

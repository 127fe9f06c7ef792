create or replace view functions.backfills as
select b.id, t.name as trigger, b.status, b.rows, b.where_clause, b.error, b.created_at, b.finished_at
from functions_private.backfills b join functions_private.triggers t on t.id = b.trigger_id;
comment on view functions.backfills is 'Backfills and their progress.';

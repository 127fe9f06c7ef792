-- functions_private.similar_option(name) -> the option of create_trigger that was most likely meant, or null: another spelling, or another product's name for it
create or replace function functions_private.similar_option(name text) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    with given as (select lower(regexp_replace(name, '[^A-Za-z]', '', 'g')) as word)
    select o.option
    from given g, (values
        ('columns', array['column', 'updatecolumns', 'fields', 'field', 'of']), ('when', array['condition', 'filter', 'where', 'if']),
        ('order_by', array['orderby', 'order', 'orderkey', 'key', 'partitionkey', 'groupby']), ('batch_size', array['batchsize', 'batch', 'maxbatchsize', 'maxbatch']),
        ('retries', array['retry', 'maxretries', 'numretries', 'attempts', 'maxattempts']), ('backoff_ms', array['backoffms', 'backoff', 'intervalsec', 'retryinterval', 'delay', 'delayms']),
        ('max_backoff_ms', array['maxbackoffms', 'maxbackoff']), ('timeout_ms', array['timeoutms', 'timeout', 'timeoutsec']), ('role', array['runas', 'user', 'as']),
        ('include_old', array['includeold', 'old', 'oldrow', 'replicaidentity', 'full']), ('start', array['from', 'backfill', 'startfrom', 'startat']),
        ('payload', array['format', 'payloadformat']), ('url', array['webhook', 'webhookurl', 'endpoint']), ('headers', array['header', 'httpheaders']),
        ('secret', array['signingsecret', 'webhooksecret'])) as o (option, words)
    where g.word = replace(o.option, '_', '') or g.word = any (o.words) or g.word = replace(o.option, '_', '') || 's'
    limit 1
$$;
comment on function functions_private.similar_option(text) is 'The option of create_trigger that was most likely meant.';
revoke all on function functions_private.similar_option(text) from public;

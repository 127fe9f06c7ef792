using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// The errors of common mistakes with triggers, events and their maintenance in psql. Every error of the product names a remedy, in its
/// message or its hint.
/// </summary>
public sealed class MistakeTests
{
    private const string Tables = """
        select functions.deploy('f', 'x'); update functions_private.functions set active_version = 1;
        create schema app; create table app.items (id int primary key);
        create table orders (id int primary key, status text, total numeric, day date, twice int generated always as (id * 2) stored);
        create table "Mixed" (id int primary key, "Camel" text);
        create view v as select * from orders; create materialized view mv as select * from orders; create unlogged table ul (id int);
        create sequence sq; create type comp as (a int); create index ix on orders (day);
        create table parts (id int, d int, primary key (id, d)) partition by range (d); create table parts_1 partition of parts for values from (0) to (10);
        create foreign data wrapper w; create server s foreign data wrapper w; create foreign table ft (id int) server s;
        create function pick(x int) returns boolean language sql as 'select true'; create function app.pick(x int) returns boolean language sql as 'select true';
        """;

    /// <summary>
    /// The statement, the SQLSTATE and the message. The message is empty when PostgreSQL itself refuses the statement. TRIGGER( stands for
    /// select functions.create_trigger(.
    /// </summary>
    private static readonly (string Sql, string State, string Message)[] Mistakes =
    [
        ("TRIGGER('', 'f', 'orders')", "42602", "\"\" is not a trigger name"),
        ("TRIGGER('my trigger', 'f', 'orders')", "42602", "\"my trigger\" is not a trigger name"),
        ("TRIGGER(null, 'f', 'orders')", "42602", "null is not a trigger name"),
        ("TRIGGER('a', null, 'orders')", "22023", "The function is null."),
        ("TRIGGER('a', '', 'orders')", "42704", "There is no function named \"\"."),
        ("TRIGGER('a', 'nope', 'orders')", "42704", "There is no function named \"nope\"."),
        ("TRIGGER('a', 'F', 'orders')", "42704", "There is no function named \"F\"."),
        ("TRIGGER('a', 'f', 'order')", "42P01", ""),
        ("TRIGGER('a', 'f', 'items')", "42P01", ""),
        ("TRIGGER('a', 'f', 'items', '{INSERT}')", "42P01", ""),
        ("TRIGGER('a', 'f', 'app.orders')", "42P01", ""),
        // PostgreSQL 15 names the schema, newer versions the table.
        ("TRIGGER('a', 'f', 'nope.orders')", "3F000|42P01", ""),
        ("TRIGGER('a', 'f', 'Mixed')", "42P01", ""),
        ("TRIGGER('a', 'f', 'public.orders.id')", "0A000", ""),
        ("TRIGGER('a', 'f', orders)", "42703", ""),
        ("TRIGGER('a', 'f', null)", "22023", "The table is null."),
        ("TRIGGER('a', 'f', null::regclass)", "22023", "The table is null."),
        ("TRIGGER('a', 'f', '')", "42602", ""),
        ("TRIGGER('a', 'f', '123456789')", "42601", ""),
        ("TRIGGER('a', 'f', 'v')", "42809", "public.v is a view: the WAL carries no changes of its rows."),
        ("TRIGGER('a', 'f', 'mv')", "42809", "public.mv is a materialized view: the WAL carries no changes of its rows."),
        ("TRIGGER('a', 'f', 'ul')", "42809", "public.ul is UNLOGGED: its changes are not written to the WAL."),
        ("TRIGGER('a', 'f', 'sq')", "42809", "public.sq is a sequence: the WAL carries no changes of its rows."),
        ("TRIGGER('a', 'f', 'ix')", "42809", "public.ix is an index: the WAL carries no changes of its rows."),
        ("TRIGGER('a', 'f', 'comp')", "42809", "public.comp is a composite type: the WAL carries no changes of its rows."),
        ("TRIGGER('a', 'f', 'ft')", "42809", "public.ft is a foreign table: the WAL carries no changes of its rows."),
        ("TRIGGER('a', 'f', 'parts_1')", "42809", "public.parts_1 is a partition: changes are published under the root of its table."),
        ("TRIGGER('a', 'f', 'pg_class')", "42809", "pg_class is a system table."),
        (
            "TRIGGER('a', 'f', 'information_schema.tables')",
            "42809",
            "information_schema.tables is a view: the WAL carries no changes of its rows."
        ),
        ("TRIGGER('a', 'f', 'functions_private.events')", "42809", "functions_private.events is a system table."),
        ("TRIGGER('a', 'f', 'functions.events')", "42809", "functions.events is a view: the WAL carries no changes of its rows."),
        (
            "create temporary table tmp21 (id int); select functions.create_trigger('a', 'f', 'tmp21')",
            "42809",
            "tmp21 is a temporary table: its changes are not written to the WAL."
        ),
        ("TRIGGER('orders', 'a', 'f')", "42P01", ""),
        ("TRIGGER('a', 'orders', 'f')", "42P01", ""),
        ("TRIGGER('a', 'f')", "42883", ""),
        ("TRIGGER('a')", "42883", ""),
        ("TRIGGER('a', 'f', 'orders', 'INSERT')", "22023", "operations is an array: write '{INSERT}', not 'INSERT'"),
        ("TRIGGER('a', 'f', 'orders', 'insert')", "22023", "operations is an array: write '{INSERT}', not 'insert'"),
        ("TRIGGER('a', 'f', 'orders', 'INSERT, UPDATE')", "22023", "operations is an array: write '{INSERT,UPDATE}', not 'INSERT, UPDATE'"),
        ("TRIGGER('a', 'f', 'orders', 'after insert')", "22023", "operations is an array: write '{INSERT}', not 'after insert'"),
        (
            "TRIGGER('a', 'f', 'orders', 'insert or update of status')",
            "22023",
            "operations is an array: write '{INSERT,UPDATE}', not 'insert or update of status'"
        ),
        ("TRIGGER('a', 'f', 'orders', '{}')", "22023", "operations must be of {INSERT,UPDATE,DELETE,TRUNCATE}, not {}"),
        ("TRIGGER('a', 'f', 'orders', '')", "22023", "operations is an array: write '{INSERT,UPDATE,DELETE}', not ''"),
        ("TRIGGER('a', 'f', 'orders', null)", "22023", "operations must be of {INSERT,UPDATE,DELETE,TRUNCATE}, not null"),
        ("TRIGGER('a', 'f', 'orders', '{INSRT}')", "22023", "operations must be of {INSERT,UPDATE,DELETE,TRUNCATE}, not {INSRT}"),
        ("TRIGGER('a', 'f', 'orders', '{UPSERT}')", "22023", "operations must be of {INSERT,UPDATE,DELETE,TRUNCATE}, not {UPSERT}"),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT,null}')",
            "22023",
            "operations must be of {INSERT,UPDATE,DELETE,TRUNCATE}, not {INSERT,NULL}"
        ),
        ("TRIGGER('a', 'f', 'orders', '{\"INSERT}')", "22023", "operations is an array: write '{INSERT}', not '{\"INSERT}'"),
        ("TRIGGER('a', 'f', 'orders', '[\"INSERT\"]')", "22023", "operations is an array: write '{INSERT}', not '[\"INSERT\"]'"),
        (
            "TRIGGER('a', 'f', 'orders', array['INSERT','MERGE'])",
            "22023",
            "operations must be of {INSERT,UPDATE,DELETE,TRUNCATE}, not {INSERT,MERGE}"
        ),
        ("TRIGGER('a', 'f', 'orders', '{\"retries\": 3}')", "22023", "operations comes before the options, and is missing"),
        ("TRIGGER('a', 'f', 'orders', '{\"when\": \"new.id > 1\"}')", "22023", "operations comes before the options, and is missing"),
        ("TRIGGER('a', 'f', 'orders', 'INSERT', '{}')", "22023", "operations is an array: write '{INSERT}', not 'INSERT'"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"retries\": 3')", "22P02", ""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '')", "22P02", ""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', null)", "22023", "options must be a JSON object, not null"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '[]')", "22023", "options must be a JSON object, not array"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '\"retries\"')", "22023", "options must be a JSON object, not string"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"retries\": 3}'::text)", "42883", ""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"retries\": 3}'::json)", "42883", ""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}'::text[], '{\"retries\": 3}'::json)", "42883", ""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}'::text[], '{\"retries\": 3}'::text)", "42883", ""),
        ("TRIGGER('a', 'f', 'orders', options => '{\"retries\": 3}'::json)", "42883", ""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', 'retries => 3')", "22P02", ""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{''retries'': 3}')", "22P02", ""),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"retries\": \"3\"}')",
            "22023",
            "option retries must be a whole number from 0 to 100, not \"3\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"retries\": -1}')",
            "22023",
            "option retries must be a whole number from 0 to 100, not -1"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"retries\": 1.5}')",
            "22023",
            "option retries must be a whole number from 0 to 100, not 1.5"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"batch_size\": 0}')",
            "22023",
            "option batch_size must be a whole number from 1 to 1000, not 0"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"batch_size\": true}')",
            "22023",
            "option batch_size must be a whole number from 1 to 1000, not true"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"timeout_ms\": 5}')",
            "22023",
            "option timeout_ms must be a whole number from 1000 to 300000, not 5"
        ),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"timeout\": 5}')", "22023", "unknown option \"timeout\""),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"backoff_ms\": 5000, \"max_backoff_ms\": 100}')",
            "22023",
            "option max_backoff_ms must not be less than backoff_ms, which is 5000"
        ),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"filter\": \"x\"}')", "22023", "unknown option \"filter\""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"table\": \"x\"}')", "22023", "unknown option \"table\""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"operations\": [\"INSERT\"]}')", "22023", "unknown option \"operations\""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"When\": \"new.id > 1\"}')", "22023", "unknown option \"When\""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"colums\": \"id\"}')", "22023", "unknown option \"colums\""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"\": 1}')", "22023", "unknown option \"\""),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"include_old\": \"yes\"}')",
            "22023",
            "option include_old must be true or false, not \"yes\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"columns\": \"status\"}')",
            "22023",
            "option columns is for UPDATE, which is not among the operations"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": \"status\", \"include_old\": false}')",
            "22023",
            "option columns needs old rows to compare with"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": \"Status\"}')",
            "42703",
            "option columns: public.orders has no column \"Status\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": \"stauts\"}')",
            "42703",
            "option columns: public.orders has no column \"stauts\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": \"status,total\"}')",
            "42703",
            "option columns: public.orders has no column \"status,total\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": \"twice\"}')",
            "42703",
            "option columns: column \"twice\" is generated, and logical replication does not carry it"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": []}')",
            "22023",
            "option columns must be a column's name or an array of them, not []"
        ),
        ("TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": \"\"}')", "42703", "option columns: public.orders has no column \"\""),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": 5}')",
            "22023",
            "option columns must be a column's name or an array of them, not 5"
        ),
        ("TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": [5]}')", "42703", "option columns: public.orders has no column \"5\""),
        ("TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": [null]}')", "42703", "option columns: public.orders has no column null"),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": [[\"status\"]]}')",
            "42703",
            "option columns: public.orders has no column \"[\\\"status\\\"]\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": {\"status\": true}}')",
            "22023",
            "option columns must be a column's name or an array of them, not {\"status\": true}"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": \"ctid\"}')",
            "42703",
            "option columns: public.orders has no column \"ctid\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{UPDATE}', '{\"columns\": \"orders.status\"}')",
            "42703",
            "option columns: public.orders has no column \"orders.status\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"order_by\": \"id desc\"}')",
            "42703",
            "option order_by: public.orders has no column \"id desc\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"order_by\": \"nope\"}')",
            "42703",
            "option order_by: public.orders has no column \"nope\""
        ),
        ("TRIGGER('a', 'f', 'orders', '{TRUNCATE}', '{\"when\": \"new.id > 1\"}')", "22023", "option when: a TRUNCATE has no rows"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"\"}')", "42601", "option when: the condition is empty"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"   \"}')", "42601", "option when: the condition is empty"),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": true}')",
            "22023",
            "option when must be an SQL condition over old and new, not true"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"status = ''paid''\"}')",
            "42702",
            "option when: column reference \"status\" is ambiguous"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.status = \\\"paid\\\"\"}')",
            "42703",
            "option when: column \"paid\" does not exist"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.status == ''paid''\"}')",
            "42601",
            "option when: SQL compares with =, not with =="
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.status\"}')",
            "42804",
            "option when: the condition must be type boolean, not type text"
        ),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.nope = 1\"}')", "42703", "option when: column new.nope does not exist"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"NEW.Status = ''x'' and\"}')", "42601", "option when"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"when new.id > 1\"}')", "42601", "option when: leave out the word when"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"where new.id > 1\"}')", "42601", "option when: leave out the word where"),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.id > 1;\"}')",
            "42601",
            "option when: a condition is one expression, without a semicolon"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"exists (select from orders)\"}')",
            "0A000",
            "option when: a condition can't have a subquery"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"pick(new.id)\"}')",
            "42883",
            "option when: function pick(integer) does not exist"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"app.pick(new.id)\"}')",
            "42501",
            "option when: permission denied for schema app"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.twice > 1\"}')",
            "42703",
            "option when: column \"twice\" is generated, and logical replication does not carry generated columns"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"count(*) > 1\"}')",
            "42803",
            "option when: aggregate functions are not allowed in a condition"
        ),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.id = $1\"}')", "42P02", "option when: it can't have parameters ($1)"),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"event.new.id > 1\"}')",
            "42P01",
            "option when: invalid reference to FROM-clause entry for table \"new\""
        ),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"(new.id > 1\"}')", "42601", "option when"),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.id = ''x''\"}')",
            "22P02",
            "option when: invalid input syntax for type integer: \"x\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.id > 1) or (true\"}')",
            "42601",
            "option when: a parenthesis closes that was not opened"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"tg_op = ''INSERT''\"}')",
            "42703",
            "option when: column \"tg_op\" does not exist"
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.status IS DISTINCT FROM old\"}')",
            "42883",
            "option when: operator does not exist: text = record"
        ),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"a''b\"}')", "42601", "option when"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"when\": \"new.id > 1 /* x\"}')", "42601", "option when"),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"role\": \"postgres\"}')",
            "22023",
            "option role: functions may not run as \"postgres\""
        ),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"role\": \"nobody\"}')", "22023", "option role: functions may not run as \"nobody\""),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"role\": 5}')", "22023", "option role must be the name of a role, not 5"),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"role\": \"\"}')", "22023", "option role: functions may not run as \"\""),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"start\": \"later\"}')",
            "22023",
            "option start must be \"now\" or \"backfill\", not \"later\""
        ),
        ("TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"start\": true}')", "22023", "option start must be \"now\" or \"backfill\", not true"),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"payload\": \"json\"}')",
            "22023",
            "option payload must be \"event\" or \"supabase\", not \"json\""
        ),
        (
            "TRIGGER('a', 'f', 'orders', '{INSERT}', '{\"url\": \"https://example.com\"}')",
            "22023",
            "a trigger has a function or the option url, not both"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"example.com/hook\"}')",
            "22023",
            "option url must be an http or https URL without user and password, not \"example.com/hook\""
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"ftp://example.com\"}')",
            "22023",
            "option url must be an http or https URL without user and password, not \"ftp://example.com\""
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://user:pw@example.com\"}')",
            "22023",
            "option url must be an http or https URL without user and password, not \"https://...@example.com\""
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"\"}')",
            "22023",
            "option url must be an http or https URL without user and password, not \"\""
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": 5}')",
            "22023",
            "option url must be an http or https URL without user and password, not 5"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com:99999/\"}')",
            "22023",
            "option url: a port is a number from 1 to 65535"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://exa mple.com/\"}')",
            "22023",
            "option url must be an http or https URL without user and password, not \"https://exa mple.com/\""
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"headers\": {\"A\": \"b\"}}')",
            "22023",
            "option headers belongs to the option url, which is missing"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\", \"headers\": \"A: b\"}')",
            "22023",
            "option headers must be an object of strings, not \"A: b\""
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\", \"headers\": {\"A b\": \"c\"}}')",
            "22023",
            "option headers: \"A b\" must be a header's name with a string of at most 8192 characters in one line"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\", \"headers\": {\"Host\": \"c\"}}')",
            "22023",
            "option headers: \"Host\" is set by the sidecar"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\", \"headers\": {\"X\": 5}}')",
            "22023",
            "option headers: \"X\" must be a header's name with a string of at most 8192 characters in one line"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\", \"secret\": \"abc\"}')",
            "22023",
            "option secret must be whsec_ and the base64 of 24 to 64 bytes"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\", \"secret\": \"whsec_YWJj\"}')",
            "22023",
            "option secret must be whsec_ and the base64 of 24 to 64 bytes"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\", \"secret\": \"whsec_YWJ\"}')",
            "22023",
            "option secret must be whsec_ and the base64 of 24 to 64 bytes"
        ),
        (
            "TRIGGER('a', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\", \"secret\": 5}')",
            "22023",
            "option secret must be whsec_ and the base64 of 24 to 64 bytes"
        ),
        (
            "TRIGGER('f', null, 'orders', '{INSERT}', '{\"url\": \"https://example.com\"}')",
            "42710",
            "There is a function named \"f\" already."
        ),
        ("select functions.drop_trigger('nope')", "42704", "There is no trigger named \"nope\"."),
        ("select functions.drop_trigger(null)", "42704", "There is no trigger named null."),
        ("select functions.drop_trigger('T')", "42704", "There is no trigger named \"T\"."),
        ("select functions.drop_trigger('t', 'orders')", "42883", ""),
        ("drop trigger t on orders", "42704", ""),
        ("select functions.enable_trigger('nope')", "42704", "There is no trigger named \"nope\"."),
        ("select functions.disable_trigger('')", "42704", "There is no trigger named \"\"."),
        ("select functions.disable_trigger('f')", "42704", "There is no trigger named \"f\"."),
        ("select functions.backfill('nope')", "42704", "There is no trigger named \"nope\"."),
        ("select functions.backfill(null)", "42704", "There is no trigger named null."),
        ("select functions.backfill('t', 'new.id > 1')", "42P01", "option where_clause: missing FROM-clause entry for table \"new\""),
        ("select functions.backfill('t', 'id >')", "42601", "option where_clause"),
        ("select functions.backfill('t', 'nope = 1')", "42703", "option where_clause: column \"nope\" does not exist"),
        ("select functions.backfill('t', 'id')", "42804", "option where_clause: the condition must be type boolean, not type integer"),
        ("select functions.backfill('t', '')", "42601", "option where_clause: the condition is empty"),
        ("select functions.backfill('t', 'where id > 1')", "42601", "option where_clause: leave out the word where"),
        ("select functions.backfill('t', 'id in (select 1)')", "0A000", "option where_clause: a condition can't have a subquery"),
        (
            "select functions.backfill('t', 'twice > 1')",
            "42703",
            "option where_clause: column \"twice\" is generated, and logical replication does not carry generated columns"
        ),
        ("select functions.redrive('all')", "22P02", ""),
        ("select functions.redrive('{\"funktion\": \"f\"}')", "22023", "unknown member \"funktion\" of the filter"),
        ("select functions.redrive('{\"id\": \"abc\"}')", "22023", "member id of the filter is not an event's id: \"abc\""),
        ("select functions.redrive('{\"id\": 5}')", "22023", "member id of the filter must be a text, not 5"),
        (
            "select functions.redrive('{\"since\": \"yesterdayish\"}')",
            "22023",
            "member since of the filter is not a time: \"yesterdayish\""
        ),
        ("select functions.redrive(null)", "22023", "the filter must be a JSON object, not null"),
        ("select functions.redrive('00000000-2229-8778-8000-000001000001')", "22P02", ""),
        ("select functions.retry_now('all')", "22P02", ""),
        ("select functions.retry_now('{\"id\": \"abc\"}')", "22023", "member id of the filter is not an event's id: \"abc\""),
        ("select functions.retry_now('{\"error_code\": \"x\"}')", "22023", "unknown member \"error_code\" of the filter"),
        ("select functions.retry_now(null)", "22023", "the filter must be a JSON object, not null"),
        ("select functions.redeliver('abc')", "22P02", ""),
        (
            "select functions.redeliver('00000000-2229-8778-8000-000001000001')",
            "42704",
            "There is no event 00000000-2229-8778-8000-000001000001."
        ),
        ("select functions.redeliver(null)", "42704", "There is no event null."),
        ("select functions.redeliver()", "42883", ""),
        ("select functions.discard()", "42883", ""),
        ("select functions.discard(null)", "22023", "the filter must be a JSON object, not null"),
        ("select functions.discard('x')", "22P02", ""),
        ("select functions.discard('{\"id\": \"abc\"}')", "22023", "member id of the filter is not an event's id: \"abc\""),
        ("select functions.adopt('yes')", "22023", "adopt takes deliver or discard, not \"yes\""),
        ("select functions.adopt(null)", "22023", "adopt takes deliver or discard, not null"),
        ("select functions.adopt()", "42883", ""),
        ("select functions.recreate_slot()", "55000", "No incident is open: there is no reason to recreate the slot."),
        ("select functions.close_incident(99)", "42704", "There is no incident 99."),
        ("select functions.close_incident(null)", "42704", "There is no incident null."),
        ("select functions.invoke('nope', '{}')", "42704", "There is no function named \"nope\"."),
        ("select functions.invoke('f', 'x')", "22P02", ""),
        ("select functions.invoke('f', '{}', '{\"delay\": 5}')", "22023", "unknown option \"delay\""),
        (
            "select functions.invoke('f', '{}', '{\"delay_ms\": \"x\"}')",
            "22023",
            "option delay_ms must be a whole number from 0 to 31536000000, not \"x\""
        ),
        ("select functions.invoke('f', '{}', '{\"run_at\": \"soon\"}')", "22023", "option run_at is not a time: \"soon\""),
        (
            "select functions.invoke('f', '{}', '{\"run_at\": \"2026-01-01\", \"delay_ms\": 5}')",
            "22023",
            "options run_at and delay_ms exclude each other"
        ),
        ("select functions.invoke('f', '{}', '{\"role\": \"postgres\"}')", "22023", "option role: functions may not run as \"postgres\""),
        ("select functions.invoke('f', '{}', '{\"idempotency_key\": 5}')", "22023", "option idempotency_key must be a text, not a number"),
        ("select functions.invoke('f', '{}', '[]')", "22023", "options must be a JSON object, not array"),
        ("select functions.invoke('f', '{}', null)", "22023", "options must be a JSON object, not null"),
        ("select functions.invoke(null, '{}')", "42704", "There is no function named null."),
        ("call functions.invoke('f', '{}')", "42809", ""),
        ("select functions.call('f', '{}', null)", "42809", ""),
        ("call functions.call('f', '{}')", "42883", ""),
        ("call functions.call('nope', '{}', null)", "42704", "There is no function named \"nope\"."),
        ("select functions.uninstall('{\"casacde\": true}')", "22023", "uninstall has no such option, or it is not true or false: casacde"),
        (
            "select functions.uninstall('{\"cascade\": \"yes\"}')",
            "22023",
            "uninstall has no such option, or it is not true or false: cascade"
        ),
        ("select functions.uninstall('cascade')", "22P02", ""),
        ("select functions.uninstall(null)", "22023", "options must be a JSON object, not null"),
        ("set role anon; select functions.create_trigger('a', 'f', 'orders')", "42501", ""),
        ("set role service_role; select functions.redrive()", "42501", ""),
        ("TRIGGER('a', 'f', 'nope')", "42P01", ""),
    ];

    [Fact]
    public async Task Every_mistake_gets_an_error_with_the_cause_and_the_remedy()
    {
        await using var database = await TestDatabase.CreateAsync();
        var newest = await (await PostgresServer.GetAsync()).GetVersionAsync() >= 18;
        try
        {
            await database.ExecuteAsync(Tables);
            await database.ExecuteAsync(
                """select functions.create_trigger('t', 'f', 'orders', '{INSERT,UPDATE}', '{"columns": "status"}')"""
            );
            await using var connection = await database.Owner.OpenConnectionAsync();
            var wrong = new List<string>();
            foreach (var (sql, state, message) in Mistakes)
            {
                // On PostgreSQL 18 the WAL has the column.
                if (newest && sql.Contains("twice", StringComparison.Ordinal))
                    continue;
                if (
                    await AnswerAsync(
                        connection,
                        sql.Replace("TRIGGER(", "select functions.create_trigger(", StringComparison.Ordinal),
                        state,
                        message
                    ) is
                    { } difference
                )
                    wrong.Add(difference);
            }
            Assert.True(wrong.Count == 0, string.Join("\n\n", wrong));
        }
        finally
        {
            await database.ExecuteAsync(
                "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s where s.slot_name = functions_private.slot_name()"
            );
        }
    }

    /// <summary>Executes a mistaken statement and rolls it back.</summary>
    /// <returns>The difference from the expected error; null when there is none.</returns>
    private static async Task<string?> AnswerAsync(NpgsqlConnection connection, string sql, string state, string message)
    {
        await using var transaction = await connection.BeginTransactionAsync();
        try
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
            return $"{sql}\n  is accepted";
        }
        catch (PostgresException e)
        {
            if (!state.Split('|').Contains(e.SqlState) || !e.MessageText.StartsWith(message, StringComparison.Ordinal))
                return $"{sql}\n  {e.SqlState} {e.MessageText}\n  not {state} {message}";
            var saysWhatToDo =
                message.Length == 0
                || e.Hint is { Length: > 0 }
                || e.MessageText.Contains("must ", StringComparison.Ordinal)
                || e.MessageText.Contains("exclude", StringComparison.Ordinal);
            return saysWhatToDo ? null : $"{sql}\n  {e.MessageText}\n  does not say what to do";
        }
        finally
        {
            await transaction.RollbackAsync();
            await using var reset = new NpgsqlCommand("reset role", connection);
            await reset.ExecuteNonQueryAsync();
        }
    }
}

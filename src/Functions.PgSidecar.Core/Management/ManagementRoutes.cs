using Functions.PgSidecar.Core.Auth.Management;

namespace Functions.PgSidecar.Core.Management;

/// <summary>The endpoints that manage schedules, queues, webhooks, triggers on row changes, and dead letters.</summary>
internal static class ManagementRoutes
{
    /// <summary>The columns of a dead letter in a list. Its payload may be large, and is shown only for a single one.</summary>
    private const string DeadLetterColumns =
        "l.event_id as id, l.died_at, l.kind, l.trigger, l.function, l.attempts, l.error_code, l.error_message, l.occurred_at";

    private const string Options = "coalesce(nullif(@body::jsonb -> 'options', 'null'), '{}')";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ManagementRoute> All { get; } =
    [.. Schedules(), .. Queues(), .. Webhooks(), .. Triggers(), .. DeadLetters()];

    private static IEnumerable<ManagementRoute> Schedules()
    {
        var of = new Kind("schedules", "functions.schedules", "functions_private.schedules", "name");
        yield return of.List();
        yield return of.Read();
        yield return of.Put(
            ["function", "cron", "options"],
            $"functions.schedule(@name, @body::jsonb ->> 'function', @body::jsonb ->> 'cron', {Options})"
        );
        yield return of.Delete("functions.unschedule(@name)");
        yield return of.Post("enable", "functions.enable_schedule(@name)");
        yield return of.Post("disable", "functions.disable_schedule(@name)");
        yield return of.Post("run", "functions.run_schedule(@name)", "event_id");
    }

    private static IEnumerable<ManagementRoute> Queues()
    {
        var of = new Kind("queues", "functions.queues", "functions_private.queue_consumers", "queue");
        yield return of.List();
        yield return of.Read();
        // A queue belongs to no function.
        yield return of.Put(["options"], $"functions_serving.create_queue(@name, {Options})") with
        {
            Function = null,
        };
        yield return of.Delete("functions_serving.drop_queue(@name)") with
        {
            Function = null,
        };
        // A limited manager may not become the consumer of a queue: it would get messages that were sent to other functions.
        yield return of.Put(["function", "options"], $"functions_serving.consume_queue(@name, @body::jsonb ->> 'function', {Options})") with
        {
            Path = "/queues/{name}/consumer",
            IsForExisting = true,
        };
        yield return of.Delete("functions_serving.stop_consuming(@name)") with
        {
            Path = "/queues/{name}/consumer",
        };
        // A limited manager redrives queues that its functions consume, from their dead letter queues and archives only.
        yield return new ManagementRoute("POST", "/queues/{name}/redrive")
        {
            Members = ["error_code", "since", "until"],
            Change = Call("functions.redrive_queue(@name, coalesce(@body::jsonb, '{}'))", "redriven"),
            Function = of.Function,
            IsForExisting = true,
        };
    }

    private static IEnumerable<ManagementRoute> Webhooks()
    {
        var of = new Kind("webhooks", "functions.webhooks", "functions_private.webhooks", "name");
        yield return of.List();
        yield return of.Read();
        yield return of.Put(["function", "options"], $"functions.create_webhook(@name, @body::jsonb ->> 'function', {Options})", "secret");
        yield return of.Delete("functions.drop_webhook(@name)");
        yield return of.Post("enable", "functions.enable_webhook(@name)");
        yield return of.Post("disable", "functions.disable_webhook(@name)");
        yield return of.Post("rotate", $"functions.rotate_webhook(@name, {Options})", "secret") with
        {
            Members = ["options"],
        };
    }

    private static IEnumerable<ManagementRoute> Triggers()
    {
        var of = new Kind("triggers", "functions.triggers", "functions_private.triggers", "name");
        yield return of.List();
        yield return of.Read();
        yield return of.Put(
            ["function", "table", "operations", "options"],
            $$"""
            functions_serving.create_trigger(@name, @body::jsonb ->> 'function', @body::jsonb ->> 'table',
                case jsonb_typeof(@body::jsonb -> 'operations')
                    when 'array' then array(select jsonb_array_elements_text(@body::jsonb -> 'operations'))
                    else coalesce((@body::jsonb ->> 'operations')::text[], '{INSERT,UPDATE,DELETE}') end, {{Options}})
            """
        ) with
        {
            Hosts = """
                select h.pattern from functions_private.triggers t
                join functions_private.functions f on f.name = t.function and f.url_target
                join functions_private.hosts h on h.function = f.name where t.name = @name
                """,
        };
        yield return of.Delete("functions_serving.drop_trigger(@name)");
        yield return of.Post("enable", "functions.enable_trigger(@name)");
        yield return of.Post("disable", "functions.disable_trigger(@name)");
    }

    private static IEnumerable<ManagementRoute> DeadLetters()
    {
        string[] filters = ["id", "function", "trigger", "error_code", "since", "until"];
        yield return new ManagementRoute("GET", "/dead-letters")
        {
            Scope = ManagementScopes.Read,
            Filters = filters,
            Change = "select null from functions_private.validate_dead_letter_filter(@filter::jsonb)",
            Answer = Kind.Page(
                $"""
                select l.event_id::text as key, to_jsonb(i) as item from functions_private.dead_letters l
                cross join lateral (select {DeadLetterColumns}) i
                where functions_private.dead_letter_matches(l, @filter::jsonb)
                  and (@after::text is null or l.event_id > @after::uuid)
                  and (@functions::text[] is null or l.function = any (@functions)) order by l.event_id limit @limit
                """
            ),
        };
        yield return new ManagementRoute("GET", "/dead-letters/{name}")
        {
            Scope = ManagementScopes.Read,
            // As json: jsonb can't hold every payload.
            Answer = """
                select row_to_json(d)::text from functions.dead_letters d
                where d.id = @name::uuid and (@functions::text[] is null or d.function = any (@functions))
                """,
        };
        foreach (var (action, result) in new[] { ("redrive", "redriven"), ("discard", "discarded") })
        {
            yield return new ManagementRoute("POST", "/dead-letters/" + action)
            {
                Members = filters,
                Change = Call($"functions.{action}(@body::jsonb)", result),
                Function = "select @body::jsonb ->> 'function'",
                IsForExisting = true,
            };
        }
    }

    /// <summary>A statement that calls a function and answers with its result as the member <paramref name="result"/>.</summary>
    private static string Call(string call, string? result = null) =>
        result is null ? $"select null from {call}" : $"select json_build_object('{result}', r)::text from {call} r";

    /// <summary>What the things of one kind have in common.</summary>
    /// <param name="Path">The kind in paths.</param>
    /// <param name="View">The view that shows them; its columns <c>name</c> and <c>function</c> are used.</param>
    /// <param name="Table">The table that says which function each of them runs.</param>
    /// <param name="Key">The table's column with the name.</param>
    private readonly record struct Kind(string Path, string View, string Table, string Key)
    {
        public string Function => $"select t.function from {Table} t where t.{Key} = @name for update";

        private string Row => $"select (to_jsonb(v) || coalesce(@extra::jsonb, '{{}}'))::text from {View} v where v.name = @name";

        /// <summary>A page of items, each with its key, and the key after which the next page begins; null on the last page.</summary>
        public static string Page(string items) =>
            $"""
                with page as ({items})
                select json_build_object('items', coalesce(json_agg(p.item order by p.key), '[]'),
                    'next', case when count(*) = @limit then max(p.key) end)::text from page p
                """;

        public ManagementRoute List() =>
            new("GET", "/" + Path)
            {
                Scope = ManagementScopes.Read,
                Filters = [],
                Answer = Page(
                    $"""
                    select v.name as key, to_jsonb(v) as item from {View} v
                    where (@after::text is null or v.name > @after) and (@functions::text[] is null or v.function = any (@functions))
                    order by v.name limit @limit
                    """
                ),
            };

        public ManagementRoute Read() =>
            new("GET", $"/{Path}/{{name}}")
            {
                Scope = ManagementScopes.Read,
                Answer =
                    $"select to_jsonb(v)::text from {View} v where v.name = @name "
                    + "and (@functions::text[] is null or v.function = any (@functions))",
            };

        public ManagementRoute Put(IReadOnlyList<string> members, string call, string? result = null) =>
            new("PUT", $"/{Path}/{{name}}")
            {
                Members = members,
                Change = Call(call, result),
                Answer = Row,
                Function = Function,
            };

        public ManagementRoute Delete(string call) => new("DELETE", $"/{Path}/{{name}}") { Change = Call(call), Function = Function };

        public ManagementRoute Post(string action, string call, string? result = null) =>
            new("POST", $"/{Path}/{{name}}/{action}")
            {
                Change = Call(call, result),
                Answer = Row,
                Function = Function,
            };
    }
}

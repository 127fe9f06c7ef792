using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Tomlyn;
using Tomlyn.Model;

namespace Functions.PgSidecar.Cli;

/// <summary>
/// The configuration file of a Worker, read as options of <c>functions.deploy</c>: variables and bindings. What a deployment does not set
/// up by itself (caches, schedules, consumers) becomes statements to run.
/// </summary>
/// <param name="File">Its path.</param>
/// <param name="Options">The options <c>env</c> and <c>bindings</c>; empty if it has neither.</param>
/// <param name="Main">The entry file, relative to the folder; null if it names none.</param>
/// <param name="Statements">SQL that the file asks for besides.</param>
internal sealed record WranglerFile(string File, JsonObject Options, string? Main, IReadOnlyList<string> Statements)
{
    private static readonly string[] Names = ["wrangler.jsonc", "wrangler.json", "wrangler.toml"];
    private static readonly JsonDocumentOptions Lenient = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>Each section that declares bindings: the key of the target's name, and the kind of binding here.</summary>
    private static readonly (string[] Section, string Target, string Kind)[] Sections =
    [
        (["kv_namespaces"], "binding", "cache"),
        (["queues", "producers"], "queue", "queue"),
        (["r2_buckets"], "bucket_name", "bucket"),
        (["vectorize"], "index_name", "index"),
        (["d1_databases"], "binding", "database"),
    ];

    /// <summary>Members of <c>env</c> that every function has.</summary>
    private static readonly string[] Defaults = ["DB", "CACHE", "QUEUE", "STORAGE", "VECTORIZE", "AI"];

    /// <summary>Reads the file of a folder.</summary>
    /// <param name="folder">The function's folder.</param>
    /// <param name="function">The function's name, for the statements.</param>
    /// <returns>Null if the folder has no such file.</returns>
    /// <exception cref="BundlerException">The file can't be parsed.</exception>
    public static async Task<WranglerFile?> ReadAsync(DirectoryInfo folder, string function, CancellationToken cancellationToken)
    {
        var file = Names.Select(name => Path.Combine(folder.FullName, name)).FirstOrDefault(System.IO.File.Exists);
        if (file is null)
            return null;
        var text = await System.IO.File.ReadAllTextAsync(file, cancellationToken);
        try
        {
            var root = file.EndsWith(".toml", StringComparison.Ordinal)
                ? (JsonObject)FromToml(TomlSerializer.Deserialize<TomlTable>(text)!)!
                : JsonNode.Parse(text, documentOptions: Lenient)!.AsObject();
            return Read(file, root, function);
        }
        catch (Exception e) when (e is JsonException or TomlException or InvalidOperationException)
        {
            throw new BundlerException($"{file} is not valid: {e.Message}");
        }
    }

    private static WranglerFile Read(string file, JsonObject root, string function)
    {
        var statements = new List<string>();
        var options = new JsonObject();
        if (ReadVariables(root) is { Count: > 0 } variables)
            options["env"] = variables;
        if (ReadBindings(root, statements) is { Count: > 0 } bindings)
            options["bindings"] = bindings;
        foreach (var cron in (root["triggers"]?["crons"] as JsonArray ?? []).Select(Text))
            statements.Add($"select functions.schedule('{function}', '{function}', {Quote(cron)});");
        foreach (var consumer in root["queues"]?["consumers"] as JsonArray ?? [])
            statements.Add(ConsumerStatement(consumer!.AsObject(), function));
        return new WranglerFile(file, options, root["main"] is { } main ? Text(main) : null, statements);
    }

    /// <summary>Variables that are no texts become their JSON.</summary>
    private static JsonObject ReadVariables(JsonObject root)
    {
        var variables = new JsonObject();
        foreach (var (name, value) in root["vars"]?.AsObject() ?? [])
            variables[name] = Text(value);
        return variables;
    }

    private static JsonObject ReadBindings(JsonObject root, List<string> statements)
    {
        var bindings = new JsonObject();
        foreach (var (section, target, kind) in Sections)
        {
            var entries = section.Aggregate((JsonNode?)root, static (node, key) => node?[key]) as JsonArray ?? [];
            foreach (var entry in entries)
            {
                var binding = Text(entry!["binding"]);
                if (Defaults.Contains(binding))
                    continue;
                var name = kind switch
                {
                    "database" => "default",
                    // Its id there is a number of Cloudflare's.
                    "cache" => binding.ToLowerInvariant().Replace('_', '-'),
                    _ => Text(entry[target]),
                };
                bindings[binding] = new JsonObject { [kind] = name };
                if (kind is "cache" or "queue" or "bucket")
                    statements.Add($"select functions.create_{kind}({Quote(name)});");
                else if (kind == "index")
                    statements.Add($"select functions.create_vector_index({Quote(name)}, DIMENSIONS);");
            }
        }
        return bindings;
    }

    private static string ConsumerStatement(JsonObject consumer, string function)
    {
        var options = new JsonObject();
        foreach (
            var (theirs, ours) in (ReadOnlySpan<(string, string)>)
                [
                    ("max_batch_size", "batch_size"),
                    ("max_batch_timeout", "batch_timeout"),
                    ("max_retries", "max_retries"),
                    ("retry_delay", "retry_delay"),
                    ("dead_letter_queue", "dead_letter_queue"),
                    ("max_concurrency", "concurrency"),
                ]
        )
        {
            if (consumer[theirs] is { } value)
                options[ours] = value.DeepClone();
        }
        return $"select functions.consume_queue({Quote(Text(consumer["queue"]))}, '{function}', {Quote(options.ToJsonString())});";
    }

    private static JsonNode? FromToml(object? value) =>
        value switch
        {
            TomlTable table => new JsonObject(table.Select(pair => KeyValuePair.Create(pair.Key, FromToml(pair.Value)))),
            TomlTableArray tables => new JsonArray([.. tables.Select(FromToml)]),
            TomlArray array => new JsonArray([.. array.Select(FromToml)]),
            string text => JsonValue.Create(text),
            bool flag => JsonValue.Create(flag),
            long number => JsonValue.Create(number),
            double number => JsonValue.Create(number),
            _ => JsonValue.Create(Convert.ToString(value, CultureInfo.InvariantCulture)),
        };

    private static string Text(JsonNode? node) =>
        node is JsonValue value && value.TryGetValue(out string? text)
            ? text
            : node?.ToJsonString() ?? throw new InvalidOperationException("a name is missing.");

    private static string Quote(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}

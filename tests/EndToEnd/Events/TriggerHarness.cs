using System.Text.Json.Nodes;
using Npgsql;

namespace Functions.PgSidecar.Tests.EndToEnd.Events;

/// <summary>A table, a function and a trigger for one test, in the database of the shared sidecar.</summary>
internal sealed class TriggerHarness
{
    /// <summary>A function that does nothing, for tests that examine the events.</summary>
    public const string Nothing = "export const handler = () => null;";

    private static int names;

    private readonly SidecarFixture sidecar;

    private TriggerHarness(SidecarFixture sidecar, string table, string function)
    {
        this.sidecar = sidecar;
        Table = table;
        Function = function;
        Trigger = "on_" + table;
    }

    public string Table { get; }

    public string Function { get; }

    public string Trigger { get; }

    /// <summary>Creates the table, the function and the trigger.</summary>
    public static async Task<TriggerHarness> CreateAsync(
        SidecarFixture sidecar,
        string columns,
        string options = "{}",
        string operations = "{INSERT,UPDATE,DELETE}",
        string source = Nothing
    )
    {
        var table = $"t{Interlocked.Increment(ref names)}";
        await sidecar.Database.ExecuteAsync($"create table {table} ({columns}); grant all on {table} to service_role, authenticated");
        var harness = new TriggerHarness(sidecar, table, await sidecar.DeployAsync(source));
        await harness.CreateTriggerAsync(options, operations);
        return harness;
    }

    public Task CreateTriggerAsync(string options = "{}", string operations = "{INSERT,UPDATE,DELETE}") =>
        sidecar.Database.ExecuteAsync(
            $"select functions.create_trigger('{Trigger}', '{Function}', '{Table}', '{operations}', '{options.Replace("'", "''", StringComparison.Ordinal)}')"
        );

    /// <summary>Runs statements as the owner. <c>$t</c> stands for the table.</summary>
    public Task ExecuteAsync(string sql) => sidecar.Database.ExecuteAsync(sql.Replace("$t", Table, StringComparison.Ordinal));

    public Task<T> ScalarAsync<T>(string sql) => sidecar.Database.ScalarAsync<T>(sql.Replace("$t", Table, StringComparison.Ordinal));

    /// <summary>
    /// Waits until everything that has committed so far is in the inbox, and returns the trigger's events in the order of commits.
    /// </summary>
    public async Task<List<JsonNode>> EventsAsync()
    {
        await CaughtUpAsync();
        await using var command = sidecar.Database.Owner.CreateCommand(
            "select payload::text from functions_private.events where trigger = $1 order by id"
        );
        command.Parameters.AddWithValue(Trigger);
        await using var reader = await command.ExecuteReaderAsync();
        var events = new List<JsonNode>();
        while (await reader.ReadAsync())
            events.Add(JsonNode.Parse(reader.GetString(0))!);
        return events;
    }

    /// <summary>Waits until everything that has committed so far is in the inbox and the trigger has no pending deliveries.</summary>
    public async Task DeliveredAsync()
    {
        await CaughtUpAsync();
        await sidecar.EventuallyAsync<int>(
            "select 1 where not exists (select from functions_private.deliveries d join functions_private.triggers t on t.id = d.trigger_id where t.name = $1)",
            Trigger
        );
    }

    /// <summary>Inserts into a marker table. The event of that row shows that all earlier changes have been read.</summary>
    private async Task CaughtUpAsync()
    {
        var mark = Guid.NewGuid();
        await using (var connection = await sidecar.Database.Owner.OpenConnectionAsync())
        {
            await using var command = new NpgsqlCommand("insert into marks values ($1)", connection);
            command.Parameters.AddWithValue(mark);
            await MarksAsync();
            await command.ExecuteNonQueryAsync();
        }
        await sidecar.EventuallyAsync<int>(
            "select 1 from functions_private.events where trigger = 'marks' and payload -> 'new' ->> 'id' = $1",
            mark.ToString()
        );
    }

    private async Task MarksAsync()
    {
        if (await sidecar.Database.ScalarAsync<bool>("select exists (select from functions_private.triggers where name = 'marks')"))
            return;
        var function = await sidecar.DeployAsync(Nothing);
        await sidecar.Database.ExecuteAsync(
            $"""
            select pg_advisory_xact_lock(77);
            create table if not exists marks (id uuid primary key);
            """
        );
        await sidecar.Database.ExecuteAsync($"select functions.create_trigger('marks', '{function}', 'marks', '{{INSERT}}')");
    }
}

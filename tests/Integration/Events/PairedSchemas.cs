using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>Two schemas with the same tables: <c>watched</c> with function triggers, <c>plain</c> without.</summary>
internal sealed class PairedSchemas(NpgsqlDataSource source) : IAsyncDisposable
{
    private readonly List<string> history = [];
    private NpgsqlConnection plain = null!;
    private NpgsqlConnection watched = null!;

    /// <summary>How many statements succeeded.</summary>
    public int Succeeded { get; private set; }

    /// <summary>The last 60 executed statements.</summary>
    public string History => string.Join('\n', history.TakeLast(60));

    public async Task PrepareAsync(bool hasGuard)
    {
        await ExecuteAsync(
            await source.OpenConnectionAsync(),
            "select functions.deploy('f', 'x'); create schema plain; create schema watched"
        );
        if (!hasGuard)
            await ExecuteAsync(await source.OpenConnectionAsync(), "drop event trigger functions_guard");
        (plain, watched) = (await source.OpenConnectionAsync(), await source.OpenConnectionAsync());
        await ExecuteAsync(plain, "set search_path = plain; set client_min_messages = error");
        await ExecuteAsync(watched, "set search_path = watched, public; set client_min_messages = error");
        foreach (var connection in (NpgsqlConnection[])[plain, watched])
        {
            await ExecuteAsync(
                connection,
                """
                create table keyed (id int primary key, d int default 1, a int, b text);
                create table spare (id int primary key deferrable, d int default 1, a int, b text);
                create table keyless (id int, d int default 1, a int, b text);
                create table inserted (id int primary key, d int default 1, a int, b text);
                create table elder (id int, d int default 1, a int, b text);
                create table younger () inherits (elder);
                create table logs (id int, d int default 1, a int, b text) partition by range (d);
                create table logs_1 partition of logs for values from (0) to (10);
                create table parts (id int, d int default 1, a int, b text, primary key (id, d)) partition by range (d);
                create table parts_1 partition of parts for values from (0) to (10);
                create table parts_2 partition of parts for values from (10) to (20) partition by range (d);
                """
            );
        }
        await ExecuteAsync(
            watched,
            """
            select functions.create_trigger('keyed', 'f', 'keyed');
            select functions.create_trigger('keyed_2', 'f', 'keyed', '{UPDATE}', '{"include_old": false}');
            select functions.create_trigger('spare', 'f', 'spare', '{UPDATE,DELETE}', '{"include_old": false}');
            select functions.create_trigger('keyless', 'f', 'keyless', '{INSERT,DELETE}');
            select functions.create_trigger('inserted', 'f', 'inserted', '{INSERT}');
            select functions.create_trigger('elder', 'f', 'elder', '{INSERT,UPDATE}');
            select functions.create_trigger('logs', 'f', 'logs');
            select functions.create_trigger('parts', 'f', 'parts', '{UPDATE}', '{"include_old": false}');
            """
        );
    }

    /// <summary>Executes a statement in both.</summary>
    /// <returns>The outcome: the number of changed rows, or the error.</returns>
    public async Task<(string Plain, string Watched)> ExecuteAsync(string sql)
    {
        var without = await TryAsync(plain, sql.Replace("$s", "plain", StringComparison.Ordinal));
        // A statement that fails because of another publication may succeed with function triggers. The tables must stay the same.
        var outcome = IsOfIdentity(without)
            ? (without, without)
            : (without, await TryAsync(watched, sql.Replace("$s", "watched", StringComparison.Ordinal)));
        history.Add($"{sql} -- {outcome.Item1}");
        if (outcome.Item1[0] != '!')
            Succeeded++;
        return outcome;
    }

    public async Task DropSlotAsync() =>
        await ExecuteAsync(
            watched,
            "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s where s.slot_name = functions_private.slot_name()"
        );

    public async ValueTask DisposeAsync()
    {
        await plain.DisposeAsync();
        await watched.DisposeAsync();
    }

    private static bool IsOfIdentity(string outcome) =>
        outcome.StartsWith("!55000", StringComparison.Ordinal) || outcome.StartsWith("!42P10 cannot", StringComparison.Ordinal);

    private static async Task<string> TryAsync(NpgsqlConnection connection, string sql)
    {
        try
        {
            await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 60 };
            return (await command.ExecuteNonQueryAsync()).ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (PostgresException e)
        {
            await ExecuteAsync(connection, "rollback");
            return $"!{e.SqlState} {e.MessageText.Replace("watched", "plain", StringComparison.Ordinal)}";
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 60 };
        await command.ExecuteNonQueryAsync();
    }
}

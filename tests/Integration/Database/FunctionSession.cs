using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Sessions;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Testing;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>A database with rows of two users under row-level security, and the database access of their functions.</summary>
internal sealed class FunctionSession : IAsyncDisposable
{
    public const string Alice = "11111111-1111-4111-8111-111111111111";
    public const string Bob = "22222222-2222-4222-8222-222222222222";

    private FunctionSession(TestDatabase database, FunctionDatabaseOptions? options)
    {
        Database = database;
        Functions = new FunctionDatabase(database.Owner, TestDatabase.RoleKey, options);
    }

    public TestDatabase Database { get; }

    public FunctionDatabase Functions { get; }

    public static CallerContext Anonymous { get; } = new("anon", null, "{}");

    public static CallerContext Service { get; } = new("service_role", null, """{"role":"service_role"}""");

    public static DateTimeOffset Soon => DateTimeOffset.UtcNow.AddSeconds(30);

    public static CallerContext User(string id, string role = "authenticated") =>
        new(role, id, $$"""{"sub":"{{id}}","role":"{{role}}","tier":"gold"}""");

    /// <param name="options">Limits. The default is one connection per role, so that callers always share it.</param>
    public static async Task<FunctionSession> CreateAsync(FunctionDatabaseOptions? options = null)
    {
        var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            $"""
            create table notes (id int primary key generated always as identity, owner uuid not null default functions.uid(), body text not null);
            alter table notes enable row level security;
            create policy own on notes using (owner = (select functions.uid()));
            grant select, insert, update, delete on notes to anon, authenticated;
            grant select, insert, update, delete on notes to service_role;
            insert into notes (owner, body) values ('{Alice}', 'alice''s'), ('{Bob}', 'bob''s');
            """
        );
        return new FunctionSession(
            database,
            options ?? new FunctionDatabaseOptions { MaxPoolSize = 1, ConnectTimeout = TimeSpan.FromSeconds(60) }
        );
    }

    /// <summary>With a function <c>run(sql)</c> that executes any text as its caller, to bypass the gate.</summary>
    public static async Task<FunctionSession> CreateCarelessAsync(FunctionDatabaseOptions? options = null)
    {
        var session = await CreateAsync(options);
        await session.Database.ExecuteAsync(
            """
            create function run(sql text) returns void language plpgsql as $$ begin execute sql; end $$;
            create sequence ticket;
            grant usage on sequence ticket to anon, authenticated;
            """
        );
        return session;
    }

    public Task<SqlResult> QueryAsync(CallerContext caller, string sql, params string?[] parameters) =>
        QueryAsync(caller, Soon, sql, parameters);

    public async Task<SqlResult> QueryAsync(CallerContext caller, DateTimeOffset deadline, string sql, params string?[] parameters)
    {
        var json = new ArrayBufferWriter<byte>();
        await Functions.QueryAsync(caller, new FunctionStatement(sql, parameters), deadline, json, CancellationToken.None);
        return SqlResult.Parse(json.WrittenMemory);
    }

    public async Task<FunctionSqlException> FailsAsync(CallerContext caller, string sql, params string?[] parameters) =>
        await Assert.ThrowsAsync<FunctionSqlException>(() => QueryAsync(caller, sql, parameters));

    public async ValueTask DisposeAsync()
    {
        await Functions.DisposeAsync();
        await Database.DisposeAsync();
    }
}

internal sealed record SqlResult(
    string Command,
    long RowCount,
    IReadOnlyList<(string Name, string Type)> Fields,
    IReadOnlyList<JsonElement[]> Rows
)
{
    /// <summary>The first column of the first row, as JSON.</summary>
    public string Json => Rows[0][0].GetRawText();

    /// <summary>The first column of every row.</summary>
    public IEnumerable<string?> Column => Rows.Select(row => row[0].ValueKind == JsonValueKind.Null ? null : row[0].ToString());

    public static SqlResult Parse(ReadOnlyMemory<byte> json) => Parse(JsonDocument.Parse(json).RootElement);

    public static SqlResult Parse(JsonElement result)
    {
        Assert.True(result.GetProperty("duration").GetDouble() >= 0);
        return new SqlResult(
            result.GetProperty("command").GetString()!,
            result.GetProperty("rowCount").GetInt64(),
            [
                .. result
                    .GetProperty("fields")
                    .EnumerateArray()
                    .Select(field => (field.GetProperty("name").GetString()!, field.GetProperty("type").GetString()!)),
            ],
            [.. result.GetProperty("rows").EnumerateArray().Select(row => row.EnumerateArray().ToArray())]
        );
    }
}

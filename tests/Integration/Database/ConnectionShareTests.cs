using System.Buffers;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using Functions.PgSidecar.Testing;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

/// <summary>
/// One function must not take all connections of its role, neither by holding them nor with server processes that cannot be stopped.
/// </summary>
public sealed class ConnectionShareTests
{
    /// <summary>
    /// Visits half a billion nodes of a document in libxml2, which never checks PostgreSQL's interrupts. It runs for many seconds,
    /// regardless of timeouts and
    /// cancellation.
    /// </summary>
    private const string Uninterruptible =
        "select xpath('count(//a[count(//a[count(//a) > 0]) > 0])', ('<r>' || repeat('<a/>', 800) || '</r>')::xml)";

    private static readonly FunctionDatabaseOptions Four = new() { MaxPoolSize = 4, ConnectTimeout = TimeSpan.FromSeconds(60) };

    private static readonly FunctionDatabaseOptions Impatient = new() { MaxPoolSize = 4, ConnectTimeout = TimeSpan.FromMilliseconds(300) };

    [Fact]
    public async Task A_function_that_holds_its_share_leaves_connections_to_the_others()
    {
        await using var session = await CreateAsync(Impatient);
        await using var first = await BeginAsync(session, "hog");
        await using var second = await BeginAsync(session, "hog");

        var refused = await Assert.ThrowsAsync<FunctionSqlException>(() => RunAsync(session, "hog", "select 1"));
        Assert.Equal(SqlErrorCodes.ConnectionsInUse, refused.Code);
        Assert.Contains("Function hog holds 2 connections as role anon", refused.Message);
        Assert.Contains("PGFN_DB_CONNECTIONS_PER_FUNCTION", refused.Hint);

        await RunAsync(session, "neighbour", "select 1");
        await using var third = await BeginAsync(session, "neighbour");
        await RunAsync(session, "neighbour", "select 1");
    }

    [Fact]
    public async Task Error_says_that_all_connections_of_the_role_are_in_use()
    {
        await using var session = await CreateAsync(Impatient);
        await using var first = await BeginAsync(session, "a");
        await using var second = await BeginAsync(session, "a");
        await using var third = await BeginAsync(session, "b");
        await using var fourth = await BeginAsync(session, "b");

        var refused = await Assert.ThrowsAsync<FunctionSqlException>(() => RunAsync(session, "c", "select 1"));

        Assert.Equal((SqlErrorCodes.ConnectionsInUse, true), (refused.Code, refused.IsUnavailable));
        Assert.Contains("All 4 connections of role anon are in use, 0 of them by function c", refused.Message);
        Assert.Contains("PGFN_DB_POOL_SIZE", refused.Hint);
        await session.QueryAsync(User(Alice) with { Function = "c" }, "select 1");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Transaction_returns_its_connection_regardless_of_its_end(bool commit)
    {
        await using var session = await CreateAsync(Impatient);
        for (var i = 0; i < 5; i++)
        {
            await using var transaction = await BeginAsync(session, "f");
            await using var abandoned = await BeginAsync(session, "f");
            if (commit)
                await transaction.CommitAsync(CancellationToken.None);
            else
                await transaction.RollbackAsync(CancellationToken.None);
            await RunAsync(session, "f", "select 1");
        }
    }

    [Fact]
    public async Task Failed_or_cancelled_statement_returns_its_connection()
    {
        await using var session = await CreateAsync(Impatient);
        for (var i = 0; i < 5; i++)
        {
            await Assert.ThrowsAsync<FunctionSqlException>(() => RunAsync(session, "f", "select 1 / 0"));
            using var caller = new CancellationTokenSource();
            var sleeping = session.Functions.QueryAsync(
                Anonymous with
                {
                    Function = "f",
                },
                new FunctionStatement("select pg_sleep(600)"),
                Soon,
                new ArrayBufferWriter<byte>(),
                caller.Token
            );
            await caller.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sleeping);
        }
        await RunAsync(session, "f", "select 1");
    }

    [Fact]
    public async Task Backend_that_cannot_be_stopped_counts_against_its_function_until_it_ends()
    {
        await using var session = await CreateAsync(Impatient);
        var deadline = DateTimeOffset.UtcNow.AddSeconds(1);
        foreach (
            var attack in Enumerable
                .Range(0, 2)
                .Select(_ =>
                    session.Functions.QueryAsync(
                        Anonymous with
                        {
                            Function = "hog",
                        },
                        new FunctionStatement(Uninterruptible),
                        deadline,
                        new ArrayBufferWriter<byte>(),
                        CancellationToken.None
                    )
                )
                .ToList()
        )
        {
            Assert.Equal("57014", (await Assert.ThrowsAsync<FunctionSqlException>(() => attack)).Code);
        }

        // Its connections still count, so it cannot start more of them. Others continue.
        await Eventually.HoldsAsync(() => Task.FromResult(session.Functions.AbandonedBackendCount == 2));
        var refused = await Assert.ThrowsAsync<FunctionSqlException>(() => RunAsync(session, "hog", Uninterruptible));
        Assert.Equal(SqlErrorCodes.ConnectionsInUse, refused.Code);
        await RunAsync(session, "neighbour", "select 1");

        await Eventually.HoldsAsync(() => Task.FromResult(session.Functions.AbandonedBackendCount == 0));
        Assert.Equal(
            0,
            await session.Database.ScalarAsync<long>(
                "select count(*) from pg_stat_activity where datname = current_database() and query like '%xpath%' and pid <> pg_backend_pid()"
            )
        );
        await RunAsync(session, "hog", "select 1");
    }

    [Fact]
    public async Task Functions_cannot_lift_the_temporary_file_limit_of_the_database()
    {
        await using var session = await CreateCarelessAsync(Four);
        await session.Database.ExecuteAsync(
            "do $$ begin execute format('alter database %I set temp_file_limit = 1024', current_database()); end $$"
        );

        Assert.Equal("42501", (await session.FailsAsync(Anonymous, "select run('set temp_file_limit = -1')")).Code);
        Assert.Equal(
            "53400",
            (
                await session.FailsAsync(
                    Anonymous,
                    "select count(*) from (select g, repeat('x', 500) from generate_series(1, 500000) g order by 2, 1 desc) s"
                )
            ).Code
        );
    }

    private static async Task<FunctionTransaction> BeginAsync(FunctionSession session, string function) =>
        await session.Functions.BeginAsync(Anonymous with { Function = function }, Soon, CancellationToken.None);

    private static Task<SqlResult> RunAsync(FunctionSession session, string function, string sql) =>
        session.QueryAsync(Anonymous with { Function = function }, sql);
}

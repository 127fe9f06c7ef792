using System.Buffers;
using Functions.PgSidecar.Postgres.Errors;
using Functions.PgSidecar.Postgres.Statements;
using static Functions.PgSidecar.Tests.Integration.Database.FunctionSession;

namespace Functions.PgSidecar.Tests.Integration.Database;

public sealed class FunctionTransactionTests
{
    private static readonly FunctionDatabaseOptions TwoConnections = new() { MaxPoolSize = 2, ConnectTimeout = TimeSpan.FromSeconds(60) };

    [Fact]
    public async Task Committed_statements_stay_and_run_as_the_caller()
    {
        await using var session = await CreateAsync(TwoConnections);
        await using (var transaction = await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None))
        {
            await QueryAsync(transaction, "insert into notes (body) values (?)", "new");
            Assert.Equal(["alice's", "new"], (await QueryAsync(transaction, "select body from notes order by id")).Column);
            Assert.Equal(["alice's"], (await session.QueryAsync(User(Alice), "select body from notes")).Column);
            Assert.Equal($"\"{Alice}\"", (await QueryAsync(transaction, "select functions.uid()")).Json);
            await transaction.CommitAsync(CancellationToken.None);
        }
        Assert.Equal(2, (await session.QueryAsync(User(Alice), "select body from notes")).RowCount);
    }

    [Fact]
    public async Task Disposing_rolls_back_and_leaves_a_clean_connection()
    {
        await using var session = await CreateAsync();
        await using (var transaction = await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None))
        {
            await QueryAsync(transaction, "insert into notes (body) values ('lost')");
        }
        var next = await session.QueryAsync(User(Bob), "select body, functions.uid() from notes");
        Assert.Equal(["bob's", Bob], next.Rows[0].Select(value => value.GetString()));
        Assert.Equal(2, (await session.QueryAsync(Service, "select 1 from notes")).RowCount);
    }

    [Fact]
    public async Task Rollback_undoes_and_ends_the_transaction()
    {
        await using var session = await CreateAsync();
        await using var transaction = await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None);
        await QueryAsync(transaction, "delete from notes");
        await transaction.RollbackAsync(CancellationToken.None);

        var ended = await Assert.ThrowsAsync<FunctionSqlException>(() => QueryAsync(transaction, "select 1"));
        Assert.Equal(SqlErrorCodes.TransactionEnded, ended.Code);
        Assert.Equal(1, (await session.QueryAsync(User(Alice), "select 1 from notes")).RowCount);
    }

    [Fact]
    public async Task After_an_error_statements_and_commit_fail()
    {
        await using var session = await CreateAsync();
        await using var transaction = await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None);
        await QueryAsync(transaction, "insert into notes (body) values ('lost')");
        await Assert.ThrowsAsync<FunctionSqlException>(() => QueryAsync(transaction, "select 1 / 0"));

        Assert.Equal("25P02", (await Assert.ThrowsAsync<FunctionSqlException>(() => QueryAsync(transaction, "select 1"))).Code);
        Assert.Equal(
            SqlErrorCodes.TransactionEnded,
            (await Assert.ThrowsAsync<FunctionSqlException>(() => transaction.CommitAsync(CancellationToken.None))).Code
        );
        Assert.Equal(["alice's"], (await session.QueryAsync(User(Alice), "select body from notes")).Column);
    }

    [Fact]
    public async Task Statement_refused_by_the_gate_does_not_abort_the_transaction()
    {
        await using var session = await CreateAsync();
        await using var transaction = await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None);
        await Assert.ThrowsAsync<FunctionSqlException>(() => QueryAsync(transaction, "commit"));
        await QueryAsync(transaction, "update notes set body = 'kept'");
        await transaction.CommitAsync(CancellationToken.None);
        Assert.Equal(["kept"], (await session.QueryAsync(User(Alice), "select body from notes")).Column);
    }

    [Fact]
    public async Task Concurrent_statements_of_a_transaction_run_one_after_another()
    {
        await using var session = await CreateAsync();
        await using var transaction = await session.Functions.BeginAsync(User(Alice), Soon, CancellationToken.None);
        await Task.WhenAll(Enumerable.Range(0, 10).Select(i => QueryAsync(transaction, "insert into notes (body) values (?)", $"{i}")));
        await transaction.CommitAsync(CancellationToken.None);
        Assert.Equal(11, (await session.QueryAsync(User(Alice), "select 1 from notes")).RowCount);
    }

    [Fact]
    public async Task A_deferred_constraint_fails_the_commit()
    {
        await using var session = await CreateAsync();
        await session.Database.ExecuteAsync("create table later (id int unique deferrable initially deferred); grant all on later to anon");
        await using var transaction = await session.Functions.BeginAsync(Anonymous, Soon, CancellationToken.None);
        await QueryAsync(transaction, "insert into later values (1), (1)");
        Assert.Equal("23505", (await Assert.ThrowsAsync<FunctionSqlException>(() => transaction.CommitAsync(CancellationToken.None))).Code);
    }

    private static async Task<SqlResult> QueryAsync(FunctionTransaction transaction, string sql, params string?[] parameters)
    {
        var json = new ArrayBufferWriter<byte>();
        await transaction.QueryAsync(new FunctionStatement(sql, parameters), json, CancellationToken.None);
        return SqlResult.Parse(json.WrittenMemory);
    }
}

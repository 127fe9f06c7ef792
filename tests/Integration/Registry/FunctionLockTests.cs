using Functions.PgSidecar.Core.Registry;
using Functions.PgSidecar.Testing;
using Functions.PgSidecar.Tests.Integration.Database;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Registry;

/// <summary>
/// A transaction that has called <c>functions.invoke</c> may stay open for long. It blocks only statements that remove the function.
/// </summary>
public sealed class FunctionLockTests
{
    private const string Invoke = """begin; select functions.invoke('f', '{}', '{"idempotency_key": "k"}')""";

    [Theory]
    [InlineData("select functions.deploy('f', 'y')")]
    [InlineData("select functions.set_env('f', 'KEY', 'value')")]
    [InlineData("select functions.disable('f')")]
    public async Task Function_can_be_changed_while_a_transaction_that_invoked_it_is_open(string change)
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'x')");
        await using var application = await ConcurrentSession.OpenAsync(database);
        await using var owner = await ConcurrentSession.OpenAsync(database);
        await application.ExecuteAsync(Invoke);
        await owner.ExecuteAsync("set lock_timeout = '5s'");
        await owner.ExecuteAsync(change);
        await application.ExecuteAsync("commit");
    }

    [Fact]
    public async Task Version_becomes_active_while_a_transaction_that_invoked_the_function_is_open()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'x')");
        await using var application = await ConcurrentSession.OpenAsync(database);
        await application.ExecuteAsync(Invoke);
        await using var impatient = NpgsqlDataSource.Create(database.ConnectionString + ";Options=-c lock_timeout=5s");
        Assert.True(
            await new RegistryStore(impatient).CompleteVersionAsync(
                await database.VersionAsync("f"),
                RegistryTests.Compiled(),
                CancellationToken.None
            )
        );
        await application.ExecuteAsync("commit");
    }

    [Fact]
    public async Task A_function_is_dropped_once_a_transaction_that_invoked_and_then_changed_it_has_ended()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("select functions.deploy('f', 'x')");
        await using var application = await ConcurrentSession.OpenAsync(database);
        await using var owner = await ConcurrentSession.OpenAsync(database);
        await application.ExecuteAsync(Invoke);
        var dropping = owner.ExecuteAsync("select functions.drop('f')");
        await owner.WaitsAsync(dropping);
        await application.ExecuteAsync("select functions.set_env('f', 'KEY', 'value'); commit");
        await dropping;
        Assert.Equal(0, await database.ScalarAsync<long>("select count(*) from functions.functions"));
    }
}

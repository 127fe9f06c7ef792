namespace Functions.PgSidecar.Tests.EndToEnd.Serving;

/// <summary>A sidecar whose login only serves starts on an installation of its own version, and says what to do about any other.</summary>
public sealed class UpgradeTests : IAsyncLifetime
{
    private readonly ServedInstallation served = new();

    public ValueTask InitializeAsync() => served.InitializeAsync();

    public ValueTask DisposeAsync() => served.DisposeAsync();

    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Sidecar_does_not_start_on_an_older_or_newer_database_and_starts_after_the_owner_has_migrated()
    {
        foreach (
            var (change, undo, expected) in new[]
            {
                (
                    "insert into functions_private.migrations (name, hash) values ('9999_future.sql', '')",
                    "delete from functions_private.migrations where name like '9999%'",
                    "a newer sidecar's version migrated it"
                ),
                (
                    "alter table functions_private.migrations rename to kept; create table functions_private.migrations as select * from functions_private.kept where name < '0021'; "
                        + $"grant select on functions_private.migrations to {served.Login}",
                    "drop table functions_private.migrations; alter table functions_private.kept rename to migrations",
                    "The database is older than this sidecar"
                ),
                (
                    "update functions_private.installation set database = 0",
                    "update functions_private.installation set database = null",
                    "is a copy"
                ),
                ($"select functions.revoke_server('{served.Login}')", $"select functions.grant_server('{served.Login}')", "may serve it"),
                (
                    "update functions_private.routines set hash = '' where name = 'registry/deploy.sql'",
                    "select 1",
                    "another version of the sidecar (registry/deploy.sql differs)"
                ),
            }
        )
        {
            await served.ExecuteAsync(change);
            var (code, _, error) = await ServeAsync();
            await served.ExecuteAsync(undo);
            Assert.Equal(2, code);
            Assert.Contains(expected, error, StringComparison.Ordinal);
        }
        var (migrated, _, problem) = await ServedInstallation.PgfnAsync(["migrate"], ("DATABASE_URL", served.OwnerUrl));
        Assert.True(migrated == 0, problem);
        await using var sidecar = await served.StartAsync();
        Assert.False(sidecar.HasExited);
    }

    private async Task<(int Code, string Output, string Error)> ServeAsync() =>
        await ServedInstallation.PgfnAsync(
            ["serve"],
            ("DATABASE_URL", served.ServerUrl),
            ("PGFN_REPLICATION_URL", served.ReplicationUrl),
            ("PGFN_LISTEN", "http://127.0.0.1:0")
        );
}

using System.Text;
using System.Text.Json;
using Functions.PgSidecar.Core.RowChanges.Conditions;
using Functions.PgSidecar.Core.RowChanges.Decoding;
using Functions.PgSidecar.Postgres.Migrations;
using Functions.PgSidecar.Postgres.Results;
using Functions.PgSidecar.Testing;
using Npgsql;

namespace Functions.PgSidecar.Tests.Integration.Events;

/// <summary>
/// The login that evaluates conditions belongs to the cluster. Several installations whose owners are no superusers share it.
/// </summary>
public sealed class ConditionOwnerTests
{
    [Fact]
    [Trait("Speed", "Slow")]
    public async Task Owners_without_superuser_rights_share_the_login_of_conditions_on_a_newer_server()
    {
        Assert.SkipUnless(NewerServer.IsInstalled, "The programs of PostgreSQL 18 (tests/EndToEnd/servers) are not there.");
        // An installation of the superuser has created the login before.
        var superuser = await NewerServer.CreateDatabaseAsync();
        await using var first = await InstallAsync(superuser);
        await using var second = await InstallAsync(superuser);
        // Their keys differ, so each sets the password that it needs. The routine is applied again, as an upgrade does.
        await AskAsync(first, 1);
        await AskAsync(second, 2);
        await using (
            var forget = first.CreateCommand(
                "update functions_private.routines set hash = '' where name = 'conditions/parse_without_rights.sql'"
            )
        )
            Assert.Equal(1, await forget.ExecuteNonQueryAsync());
        await Migrator.ApplyAsync(first, CancellationToken.None);
        await AskAsync(first, 1);
    }

    [Fact]
    public async Task Functions_cannot_run_as_a_role_whose_login_would_be_that_of_conditions()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var connection = await database.Owner.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var command = new NpgsqlCommand("create role conditions; select functions.grant_role('conditions')", connection);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
        Assert.Equal(PostgresErrorCodes.ReservedName, refused.SqlState);
        Assert.Contains("pgfn_conditions", refused.MessageText, StringComparison.Ordinal);
    }

    /// <summary>A new database, installed by its own login as <c>pgfn install</c> does.</summary>
    private static async Task<NpgsqlDataSource> InstallAsync(string superuser)
    {
        var name = "conditions_" + Guid.NewGuid().ToString("n");
        await using (var maintenance = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(superuser) { Pooling = false }))
        await using (var create = maintenance.CreateCommand($"create database {name}"))
            await create.ExecuteNonQueryAsync();
        await using var source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(superuser) { Database = name, Pooling = false });
        await using var connection = await source.OpenConnectionAsync();
        await Installer.PrepareAsync(connection, (name, "secret"), (name + "_replicator", "secret"), null, CancellationToken.None);
        var own = NpgsqlDataSource.Create(
            new NpgsqlConnectionStringBuilder(superuser)
            {
                Database = name,
                Username = name,
                Password = "secret",
                Pooling = false,
            }
        );
        await Migrator.ApplyAsync(own, CancellationToken.None);
        await Installer.CompleteAsync(connection, CancellationToken.None);
        return own;
    }

    private static async Task AskAsync(NpgsqlDataSource owner, byte key)
    {
        await using (
            var prepare = owner.CreateCommand(
                "create table if not exists numbers (x int); select functions_private.validate_condition('when', 'new.x > 1', 'numbers', 'new.x > 1')"
            )
        )
            await prepare.ExecuteNonQueryAsync();
        await using var evaluator = new ConditionEvaluator(owner, Enumerable.Repeat(key, 32).ToArray());
        var relation = new PublishedRelation(
            1,
            "public",
            "numbers",
            'f',
            [new PublishedColumn("x", JsonEncodedText.Encode("x"), PostgresType.Unknown, false)]
        )
        {
            Catalog = new CatalogTable
            {
                Owner = 10,
                Columns = ["x"],
                TypeNames = ["integer"],
            },
        };
        var question = ConditionQuestion.OfTrigger(
            relation,
            "new.x > 1 and session_user = 'pgfn_conditions'",
            ColumnPlaces.Find(relation.Columns, relation.Catalog, ["x"])
        );
        var answers = await evaluator.AskAsync(
            question,
            [default, default],
            [Encoding.UTF8.GetBytes("""{"0":"1"}"""), Encoding.UTF8.GetBytes("""{"0":"2"}""")],
            CancellationToken.None
        );
        Assert.Equal([false, true], answers);
    }
}

using System.Data;
using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Postgres.Statements;
using Npgsql;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>A function's secrets and hosts, which its next version inherits, and which therefore restrict who may deploy it.</summary>
public sealed class FunctionHoldings
{
    /// <summary>Whether it has secrets.</summary>
    public bool HasSecrets { get; init; }

    /// <summary>Its host patterns, from <c>functions.allow_host</c> and the options of its former versions.</summary>
    public required string[] Hosts { get; init; }
}

/// <summary>How a deployment over HTTP ended.</summary>
public enum ModuleDeployOutcome
{
    /// <summary>The version is compiled.</summary>
    Ready,

    /// <summary>The API key was dropped, or has expired, since it was authenticated.</summary>
    KeyIsGone,

    /// <summary>The deployer may not replace the function's code.</summary>
    Forbidden,

    /// <summary>The name, the options or the module are wrong.</summary>
    Invalid,

    /// <summary>The module is too large.</summary>
    TooLarge,

    /// <summary>The module was not compiled in time.</summary>
    NotCompiledInTime,

    /// <summary>The database can't be reached.</summary>
    Unavailable,
}

/// <summary>The result of a deployment over HTTP.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="Version">The version's number; 0 if none was stored.</param>
/// <param name="Message">What is wrong, for the deployer; null if nothing is.</param>
public readonly record struct ModuleDeployment(ModuleDeployOutcome Outcome, int Version = 0, string? Message = null);

/// <summary>Stores WebAssembly modules that are deployed over HTTP, in a transaction that also checks the deployer's permission.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class ModuleDeployStore(NpgsqlDataSource dataSource) : IDisposable
{
    // Each holds a connection until its module is compiled, and compiling needs some of the same connections: the rest wait their turn.
    private const int AtOnce = 4;

    private readonly SemaphoreSlim turns = new(AtOnce);

    /// <inheritdoc/>
    public void Dispose() => turns.Dispose();

    /// <summary>
    /// Stores a new version, as <c>functions.deploy_wasm</c>, and waits until it is compiled. Four run at once; others wait before.
    /// </summary>
    /// <param name="function">Its name.</param>
    /// <param name="module">The module.</param>
    /// <param name="optionsJson">Options as JSON.</param>
    /// <param name="deployer">For the record: <c>key NAME</c> or <c>token SUBJECT</c>.</param>
    /// <param name="keyId">The API key's id, which must still be valid; null for a token.</param>
    /// <param name="refuse">Returns why the deployer may not replace the code of a function with these holdings; null if it may.</param>
    /// <param name="cancellationToken">Cancels the deployment.</param>
    public async Task<ModuleDeployment> DeployAsync(
        string function,
        byte[] module,
        string optionsJson,
        string deployer,
        string? keyId,
        Func<FunctionHoldings, string?> refuse,
        CancellationToken cancellationToken
    )
    {
        await turns.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var stored = await StoreAsync(function, module, optionsJson, deployer, keyId, refuse, cancellationToken).ConfigureAwait(false);
            if (stored.Outcome == ModuleDeployOutcome.Ready)
                await WaitReadyAsync(function, stored.Version, cancellationToken).ConfigureAwait(false);
            return stored;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ProgramLimitExceeded)
        {
            return new ModuleDeployment(ModuleDeployOutcome.TooLarge, Message: e.MessageText);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.QueryCanceled)
        {
            return new ModuleDeployment(ModuleDeployOutcome.NotCompiledInTime, Message: e.MessageText);
        }
        catch (PostgresException e) when (IsAboutTheDeployment(e.SqlState))
        {
            return new ModuleDeployment(ModuleDeployOutcome.Invalid, Message: e.MessageText);
        }
        catch (NpgsqlException e) when (e is not PostgresException)
        {
            return new ModuleDeployment(ModuleDeployOutcome.Unavailable);
        }
        finally
        {
            turns.Release();
        }
    }

    /// <summary>
    /// The errors that SQL functions raise for invalid names, modules, options and JSON, and that wait_ready raises for a module that does
    /// not compile.
    /// </summary>
    private static bool IsAboutTheDeployment(string state) =>
        state
            is PostgresErrorCodes.InvalidName
                or PostgresErrorCodes.InvalidParameterValue
                or PostgresErrorCodes.InvalidTextRepresentation
                or PostgresErrorCodes.UntranslatableCharacter
                or PostgresErrorCodes.CharacterNotInRepertoire
                or PostgresErrorCodes.UndefinedObject
                or PostgresErrorCodes.SyntaxError;

    private async Task WaitReadyAsync(string function, int version, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand("call functions.wait_ready($1, $2, '60 seconds')");
        // Longer than the procedure's own timeout.
        command.CommandTimeout = 90;
        command.Parameters.AddWithValue(function);
        command.Parameters.AddWithValue(version);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private async Task<ModuleDeployment> StoreAsync(
        string function,
        byte[] module,
        string optionsJson,
        string deployer,
        string? keyId,
        Func<FunctionHoldings, string?> refuse,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        // Each statement sees everything committed before it. Secrets that are set meanwhile are seen, because deploying locks the
        // function's row first.
        await using var transaction = await connection
            .BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken)
            .ConfigureAwait(false);
        if (keyId is not null && !await ApiKeyStore.IsGoodAsync(connection, keyId, cancellationToken).ConfigureAwait(false))
            return new ModuleDeployment(ModuleDeployOutcome.KeyIsGone);

        var version = await connection
            .SingleOrDefaultAsync<int>(
                "select functions.deploy_wasm(@function, @module, @optionsJson::jsonb)",
                new
                {
                    function,
                    module,
                    optionsJson,
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        if (refuse(await HoldingsAsync(connection, function, version, cancellationToken).ConfigureAwait(false)) is { } refusal)
            return new ModuleDeployment(ModuleDeployOutcome.Forbidden, Message: refusal);

        await connection
            .ExecuteAsync(
                "update functions_private.versions set deployed_by = @deployer where function = @function and version = @version",
                new
                {
                    function,
                    version,
                    deployer,
                },
                cancellationToken
            )
            .ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return new ModuleDeployment(ModuleDeployOutcome.Ready, version);
    }

    private static async Task<FunctionHoldings> HoldingsAsync(
        NpgsqlConnection connection,
        string function,
        int version,
        CancellationToken cancellationToken
    ) =>
        (
            await connection
                .SingleOrDefaultAsync<FunctionHoldings>(
                    """
                    select exists (select from functions_private.secrets s where s.function = @function) as has_secrets,
                           array(select h.pattern from functions_private.hosts h where h.function = @function
                                 union select jsonb_array_elements_text(v.options -> 'allow_hosts')
                                 from functions_private.versions v where v.function = @function and v.version = @version) as hosts
                    """,
                    new { function, version },
                    cancellationToken
                )
                .ConfigureAwait(false)
        )!;
}

using System.Data;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Registry;

/// <summary>What a function holds that its next version gets: the reason to be careful about who deploys it.</summary>
/// <param name="HasSecrets">Whether it has secrets.</param>
/// <param name="Hosts">The host patterns that were given to it, by <c>functions.allow_host</c> or by the options of its former versions.</param>
public sealed record FunctionHoldings(bool HasSecrets, IReadOnlyList<string> Hosts);

/// <summary>How a deployment by HTTP ended.</summary>
/// <param name="Version">The version's number; 0 where nothing was deployed.</param>
/// <param name="KeyIsGone">The API key was dropped, or has expired, since it was looked up.</param>
/// <param name="Refusal">Why the deployer may not replace what is there; null where it may.</param>
public sealed record ModuleDeployment(int Version, bool KeyIsGone, string? Refusal);

/// <summary>Stores WebAssembly modules that come by HTTP, in a transaction that also decides whether the deployer may.</summary>
/// <param name="dataSource">The sidecar's own data source.</param>
public sealed class ModuleDeployStore(NpgsqlDataSource dataSource)
{
    /// <summary>Stores a new version, as <c>functions.deploy_wasm</c>.</summary>
    /// <param name="function">Its name.</param>
    /// <param name="module">The module.</param>
    /// <param name="optionsJson">Options as JSON.</param>
    /// <param name="deployer">For the record: <c>key NAME</c> or <c>token SUBJECT</c>.</param>
    /// <param name="keyId">The API key's id, which must still be good; null for a token.</param>
    /// <param name="refuse">Says why the deployer may not give new code to a function with these holdings; null where it may.</param>
    /// <param name="cancellationToken">Deploys nothing.</param>
    /// <exception cref="PostgresException">The name, the module or the options can't be.</exception>
    public async Task<ModuleDeployment> DeployAsync(
        string function, byte[] module, string optionsJson, string deployer, string? keyId, Func<FunctionHoldings, string?> refuse, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        // Each statement sees what was committed before it: secrets that are set meanwhile are seen, because deploying locks the function's row before.
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);
        if (keyId is not null && !await IsGoodAsync(connection, keyId, cancellationToken).ConfigureAwait(false))
            return new ModuleDeployment(0, KeyIsGone: true, Refusal: null);

        await using var deploy = new NpgsqlCommand("select functions.deploy_wasm($1, $2, $3::jsonb)", connection)
        {
            Parameters = { new() { Value = function }, new() { Value = module }, new() { Value = optionsJson } },
        };
        var version = (int)(await deploy.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!;
        if (refuse(await HoldingsAsync(connection, function, version, cancellationToken).ConfigureAwait(false)) is { } refusal)
            return new ModuleDeployment(0, KeyIsGone: false, refusal);

        await using var record = new NpgsqlCommand("update functions_private.versions set deployed_by = $3 where function = $1 and version = $2", connection)
        {
            Parameters = { new() { Value = function }, new() { Value = version }, new() { Value = deployer } },
        };
        await record.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return new ModuleDeployment(version, KeyIsGone: false, Refusal: null);
    }

    /// <summary>Whether the key is there and has not expired. It can't be dropped before the transaction ends.</summary>
    private static async Task<bool> IsGoodAsync(NpgsqlConnection connection, string keyId, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "select true from functions_private.api_keys where id = $1 and (expires_at is null or expires_at > now()) for key share", connection)
        {
            Parameters = { new() { Value = keyId } },
        };
        return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is true;
    }

    private static async Task<FunctionHoldings> HoldingsAsync(NpgsqlConnection connection, string function, int version, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("""
            select exists (select from functions_private.secrets s where s.function = $1),
                   array(select h.pattern from functions_private.hosts h where h.function = $1
                         union select jsonb_array_elements_text(v.options -> 'allow_hosts')
                         from functions_private.versions v where v.function = $1 and v.version = $2)
            """, connection)
        {
            Parameters = { new() { Value = function }, new() { Value = version } },
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        return new FunctionHoldings(reader.GetBoolean(0), reader.GetFieldValue<string[]>(1));
    }
}

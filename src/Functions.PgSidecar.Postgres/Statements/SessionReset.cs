using System.Security.Cryptography;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// Removes the session state of the connection's last user before the next statement runs: DISCARD ALL without DISCARD PLANS. Cached plans
/// disclose nothing, and without them every statement would plan the policies' helper functions again. Sent in the same packet, but as a
/// transaction of its own: old state may affect the transaction that it is in (default_transaction_read_only), and an error of the caller
/// must not restore it.
/// <para>
/// A reset can be made to fail: by more temporary objects than the lock table holds, or by a timeout. The server would then roll it back
/// and continue with the caller's transaction, with the settings and temporary tables of the last user. So the reset ends by setting a
/// secret token, and the statement that assumes the caller's role checks it.
/// </para>
/// </summary>
internal static class SessionReset
{
    /// <summary>The setting that holds the token of the last reset that succeeded.</summary>
    public const string Setting = "functions.reset";

    private const string SetToken = $"set {Setting} = '";

    private static readonly string[] Commands =
    [
        "reset all",
        "close all",
        "unlisten *",
        "discard temp",
        "discard sequences",
        "deallocate all",
    ];

    /// <summary>Adds the statements that reset the session; they come first.</summary>
    /// <returns>The token that the setting has when all of it succeeded.</returns>
    public static string AddTo(NpgsqlBatch batch)
    {
        foreach (var command in Commands)
            batch.BatchCommands.Add(new NpgsqlBatchCommand(command));
        var token = RandomNumberGenerator.GetHexString(32, lowercase: true);
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SetToken + token + "'") { AppendErrorBarrier = true });
        return token;
    }

    /// <summary>
    /// Whether an error says that the session could not be reset. Then nothing was executed for the caller, and the connection must not be
    /// used again.
    /// </summary>
    public static bool HasFailed(NpgsqlException error) =>
        error switch
        {
            PostgresException { BatchCommand.CommandText: { } text } => Commands.Contains(text)
                || text.StartsWith(SetToken, StringComparison.Ordinal),
            // With the error of the statement that missed the token.
            { InnerException: AggregateException several } => several.InnerExceptions.OfType<PostgresException>().Any(HasFailed),
            _ => false,
        };
}

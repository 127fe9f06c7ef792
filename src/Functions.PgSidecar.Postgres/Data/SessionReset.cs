using System.Security.Cryptography;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Data;

/// <summary>
/// What whoever had the connection before may have left is gone before the next statement runs: DISCARD ALL, less DISCARD PLANS. Cached plans say
/// nothing to anyone, and without them every statement plans the policies' helpers anew. Sent in the same packet, but as a transaction of its own:
/// what was left may rule the transaction it is in (default_transaction_read_only), and an error of the caller must not bring it back.
/// <para>
/// A reset can be made to fail: by more temporary objects than the lock table holds, or by a timeout. The server would then roll it back and go on
/// with the caller's transaction, under the settings and among the temporary tables of the one before. So the reset ends by leaving a token that
/// nobody could know, and the statement that assumes the caller's role asks for it.
/// </para>
/// </summary>
internal static class SessionReset
{
    /// <summary>The setting that holds the token of the last reset that succeeded.</summary>
    public const string Setting = "functions.reset";

    private const string SetToken = $"set {Setting} = '";

    private static readonly string[] Commands = ["reset all", "close all", "unlisten *", "discard temp", "discard sequences", "deallocate all"];

    /// <summary>Adds what makes a session clean; goes first.</summary>
    /// <returns>The token that the setting has when all of it succeeded.</returns>
    public static string AddTo(NpgsqlBatch batch)
    {
        foreach (var command in Commands) batch.BatchCommands.Add(new NpgsqlBatchCommand(command));
        var token = RandomNumberGenerator.GetHexString(32, lowercase: true);
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SetToken + token + "'") { AppendErrorBarrier = true });
        return token;
    }

    /// <summary>
    /// Whether an error says that the session could not be reset. Nothing was executed then for the caller, and the connection is not to be used again.
    /// </summary>
    public static bool HasFailed(NpgsqlException error) => error switch
    {
        PostgresException { BatchCommand.CommandText: { } text } => Commands.Contains(text) || text.StartsWith(SetToken, StringComparison.Ordinal),
        // With the error of the statement that missed the token.
        { InnerException: AggregateException several } => several.InnerExceptions.OfType<PostgresException>().Any(HasFailed),
        _ => false,
    };
}

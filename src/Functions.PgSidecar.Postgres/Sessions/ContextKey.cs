using Npgsql;

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>The key that signs callers' contexts. Only the sidecar and the database know it.</summary>
internal static class ContextKey
{
    private const byte InnerPad = 0x36;

    /// <summary>Reads the database's key.</summary>
    public static async Task<byte[]> LoadAsync(NpgsqlDataSource owner, CancellationToken cancellationToken)
    {
        await using var command = owner.CreateCommand("select inner_pad from functions_private.context_key");
        var key = (byte[])(
            await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false)
            ?? throw new InvalidOperationException("functions_private.context_key is empty: the migration 0001_foundation.sql fills it.")
        );
        for (var i = 0; i < key.Length; i++)
            key[i] ^= InnerPad;
        return key;
    }
}

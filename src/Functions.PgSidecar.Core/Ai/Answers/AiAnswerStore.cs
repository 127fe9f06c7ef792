using Npgsql;

namespace Functions.PgSidecar.Core.Ai.Answers;

/// <summary>The table of cached answers.</summary>
internal sealed class AiAnswerStore(NpgsqlDataSource dataSource)
{
    /// <summary>The stored answer; null if there is none, or it has expired.</summary>
    public async Task<string?> FindAsync(byte[] key, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            "select a.answer from functions_private.ai_answers a where a.key = $1 and a.expires_at > now()"
        );
        command.Parameters.AddWithValue(key);
        return (string?)await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Stores an answer.</summary>
    public async Task StoreAsync(byte[] key, string answer, TimeSpan ttl, CancellationToken cancellationToken)
    {
        await using var command = dataSource.CreateCommand(
            """
            insert into functions_private.ai_answers as a (key, answer, expires_at) values ($1, $2, now() + $3)
            on conflict (key) do update set answer = excluded.answer, expires_at = excluded.expires_at
            """
        );
        command.Parameters.AddWithValue(key);
        command.Parameters.AddWithValue(answer);
        command.Parameters.AddWithValue(ttl);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }
}

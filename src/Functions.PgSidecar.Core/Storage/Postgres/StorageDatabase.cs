using Functions.PgSidecar.Postgres.Sessions;
using Npgsql;
using NpgsqlTypes;

namespace Functions.PgSidecar.Core.Storage.Postgres;

/// <summary>
/// The connections on which objects are read and written; every statement is prepared. Functions' roles have no right to the tables: who
/// may do what is decided before. Nothing that a function or a client gives is part of a statement's text.
/// </summary>
/// <param name="connectionString">That of the sidecar's own login.</param>
internal sealed class StorageDatabase(string connectionString) : IAsyncDisposable
{
    // A stream takes a connection for each chunk, not for its time.
    private readonly NpgsqlDataSource dataSource = OwnSessions.CreatePreparingDataSource(
        connectionString,
        "pgfn storage",
        maxStatements: 48
    );

    /// <summary>A command with positional parameters.</summary>
    public NpgsqlCommand Command(string sql, params object[] parameters)
    {
        var command = dataSource.CreateCommand(sql);
        foreach (var value in parameters)
            command.Parameters.Add(value as NpgsqlParameter ?? new NpgsqlParameter { Value = value });
        return command;
    }

    /// <summary>A text or null.</summary>
    public static NpgsqlParameter Text(string? value) => Of(NpgsqlDbType.Text, value);

    /// <summary>Bytes or null.</summary>
    public static NpgsqlParameter Bytes(byte[]? value) => Of(NpgsqlDbType.Bytea, value);

    /// <summary>A UUID or null.</summary>
    public static NpgsqlParameter Uuid(Guid? value) => Of(NpgsqlDbType.Uuid, value);

    /// <summary>A number or null.</summary>
    public static NpgsqlParameter Number(int? value) => Of(NpgsqlDbType.Integer, value);

    /// <summary>A large number or null.</summary>
    public static NpgsqlParameter Large(long? value) => Of(NpgsqlDbType.Bigint, value);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => dataSource.DisposeAsync();

    private static NpgsqlParameter Of(NpgsqlDbType type, object? value) => new() { NpgsqlDbType = type, Value = value ?? DBNull.Value };
}

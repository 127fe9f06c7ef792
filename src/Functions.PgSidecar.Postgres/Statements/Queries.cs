using Dapper;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// The sidecar's own queries that are not on a hot path: Dapper maps parameters (<c>@name</c>, from the members of an object) and rows
/// (columns to the constructor's parameters or the properties of the same names). A hot path uses Npgsql itself, with positional
/// parameters.
/// </summary>
/// <remarks>
/// A row with an array column needs a type with properties: Npgsql reports the column's type as <see cref="Array"/>, which no constructor
/// has.
/// </remarks>
public static class Queries
{
    static Queries() => DefaultTypeMap.MatchNamesWithUnderscores = true;

    /// <summary>The rows of a query.</summary>
    public static async Task<IReadOnlyList<T>> QueryAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        object? parameters,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        return await connection.QueryAsync<T>(sql, parameters, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The only row of a query, or the only column of that row.</summary>
    /// <exception cref="InvalidOperationException">The query returned no row, or several.</exception>
    public static async Task<T> SingleAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        object? parameters,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        return await connection.QuerySingleAsync<T>(Command(sql, parameters, cancellationToken)).ConfigureAwait(false);
    }

    /// <summary>The only row of a query, or the only column of that row; the type's default value if there is none.</summary>
    public static async Task<T?> SingleOrDefaultAsync<T>(
        this NpgsqlDataSource dataSource,
        string sql,
        object? parameters,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        return await connection.SingleOrDefaultAsync<T>(sql, parameters, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Executes a statement.</summary>
    /// <returns>The number of rows that it changed; -1 for a query.</returns>
    public static async Task<int> ExecuteAsync(
        this NpgsqlDataSource dataSource,
        string sql,
        object? parameters,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        return await connection.ExecuteAsync(sql, parameters, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The rows of a query in the connection's transaction.</summary>
    public static async Task<IReadOnlyList<T>> QueryAsync<T>(
        this NpgsqlConnection connection,
        string sql,
        object? parameters,
        CancellationToken cancellationToken
    ) => (await connection.QueryAsync<T>(Command(sql, parameters, cancellationToken)).ConfigureAwait(false)).AsList();

    /// <summary>The only row of a query in the connection's transaction; the type's default value if there is none.</summary>
    public static Task<T?> SingleOrDefaultAsync<T>(
        this NpgsqlConnection connection,
        string sql,
        object? parameters,
        CancellationToken cancellationToken
    ) => connection.QuerySingleOrDefaultAsync<T>(Command(sql, parameters, cancellationToken));

    /// <summary>Executes a statement in the connection's transaction.</summary>
    /// <returns>The number of rows that it changed; -1 for a query.</returns>
    public static Task<int> ExecuteAsync(
        this NpgsqlConnection connection,
        string sql,
        object? parameters,
        CancellationToken cancellationToken
    ) => connection.ExecuteAsync(Command(sql, parameters, cancellationToken));

    private static CommandDefinition Command(string sql, object? parameters, CancellationToken cancellationToken) =>
        new(sql, parameters, cancellationToken: cancellationToken);
}

using System.Collections.Concurrent;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// The parameters of statements that are vectors of pgvector. JavaScript has one kind of array, and PostgreSQL's text for it depends on the
/// type that the server infers: <c>{1,2}</c> for <c>int[]</c>, <c>[1,2]</c> for <c>vector</c>. So the server is asked, once for each text
/// of a statement.
/// </summary>
internal sealed class ParameterTypes
{
    public const string Vector = "vector";
    public const string HalfVector = "halfvec";
    public const string SparseVector = "sparsevec";

    /// <summary>float4[] or float8[].</summary>
    public const string Array = "array";

    /// <summary>The name exists only while the types are asked for: the session is reset before the next caller's statements.</summary>
    private const string Prepare = "prepare pgfn_parameters as ";

    private const string TypesSql = """
        select pg_catalog.array_agg(
            case when t.oid operator(pg_catalog.=) 1021::pg_catalog.oid or t.oid operator(pg_catalog.=) 1022::pg_catalog.oid then 'array'
                 when exists (
                     select from pg_catalog.pg_depend d join pg_catalog.pg_extension x on x.oid operator(pg_catalog.=) d.refobjid
                     where d.classid operator(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass and d.objid operator(pg_catalog.=) t.oid
                       and d.refclassid operator(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
                       and x.extname operator(pg_catalog.=) 'vector') then t.typname::pg_catalog.text end order by p.position)
        from pg_catalog.pg_prepared_statements s
        cross join pg_catalog.unnest(s.parameter_types) with ordinality p (type, position)
        join pg_catalog.pg_type t on t.oid operator(pg_catalog.=) p.type::pg_catalog.oid
        where s.name operator(pg_catalog.=) 'pgfn_parameters'
        """;

    private const int MaxStatements = 1000;

    /// <summary>Longer statements, in characters, are asked for at each use.</summary>
    private const int MaxText = 8192;

    private readonly ConcurrentDictionary<(string Login, string Sql), string?[]> known = new();

    /// <summary>Whether a statement has a parameter whose text depends on its type.</summary>
    public static bool Matters(PreparedStatement statement)
    {
        if (statement.Statement.Kind != StatementKind.Data)
            return false;
        for (var i = 0; i < statement.Parameters.Count; i++)
        {
            if (statement.FloatSize(i) > 0 || VectorText.IsNumbers(statement.Parameters[i]))
                return true;
        }
        return false;
    }

    /// <summary>The statement with the parameters in the form that their types need, if the types are known.</summary>
    public PreparedStatement? Adapt(string login, PreparedStatement statement) =>
        known.TryGetValue((login, statement.Statement.Text), out var types) ? Adapt(statement, types) : null;

    /// <summary>Adds the statements that ask for the types; they run with the statement's own role and search_path.</summary>
    public static void AddTo(NpgsqlBatch batch, PreparedStatement statement)
    {
        batch.BatchCommands.Add(new NpgsqlBatchCommand(Prepare + statement.Statement.Text));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(TypesSql));
        batch.BatchCommands.Add(new NpgsqlBatchCommand("deallocate pgfn_parameters"));
    }

    /// <summary>Reads the answer, remembers it, and adapts the statement.</summary>
    public PreparedStatement Learn(string login, PreparedStatement statement, string?[] types)
    {
        if (known.Count >= MaxStatements)
            known.Clear();
        if (statement.Statement.Text.Length <= MaxText)
            known[(login, statement.Statement.Text)] = types;
        return Adapt(statement, types);
    }

    /// <summary>Forgets what was learned about a statement: a column may have another type now.</summary>
    public void Forget(string login, PreparedStatement statement) => known.TryRemove((login, statement.Statement.Text), out _);

    private static PreparedStatement Adapt(PreparedStatement statement, string?[] types)
    {
        string?[]? adapted = null;
        for (var i = 0; i < statement.Parameters.Count && i < types.Length; i++)
        {
            var text = statement.Parameters[i];
            if (types[i] is not { } type || text is null)
                continue;
            var numbers =
                statement.FloatSize(i) is > 0 and var size && text.StartsWith("\\x", StringComparison.Ordinal)
                    ? VectorText.Numbers(text, size)
                : VectorText.IsNumbers(text) ? text[1..^1]
                : null;
            if (numbers is not null && VectorText.Write(numbers, type) is { } written)
                (adapted ??= [.. statement.Parameters])[i] = written;
        }
        return adapted is null ? statement : statement.With(adapted);
    }
}

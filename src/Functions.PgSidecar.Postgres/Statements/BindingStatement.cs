namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// A statement that a binding sends as the caller of its function. Nothing in <see cref="Sql"/> may come from the function, and every name
/// and operator in it has its schema: it runs with the caller's search_path, in which other roles may have objects of the same names.
/// </summary>
/// <param name="Sql">One statement, with <c>$1</c>, <c>$2</c> ... for parameters.</param>
/// <param name="Parameters">Their values, sent with the types of .NET: <c>string</c>, <c>int</c>, <c>double</c>, <c>string[]</c>,
/// <c>float[]</c>; <see langword="null"/> has the type that the server infers.</param>
public readonly record struct BindingStatement(string Sql, IReadOnlyList<object?> Parameters)
{
    /// <summary>Settings of the server (names and values) that apply to this statement only.</summary>
    public IReadOnlyList<(string Name, string Value)> Settings { get; init; } = [];
}

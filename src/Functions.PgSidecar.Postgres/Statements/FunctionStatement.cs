namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>A statement as a function wrote it.</summary>
/// <param name="Sql">
/// One statement, with <c>$1</c> or, where there is none of these, D1's <c>?</c> and <c>?NNN</c> for parameters. Without parameters a
/// <c>?</c> is an operator.
/// </param>
/// <param name="Parameters">The parameters in PostgreSQL's text form (<c>t</c>, <c>42</c>, <c>{1,2}</c>, <c>\x00ff</c>); the server infers
/// their types.</param>
public readonly record struct FunctionStatement(string Sql, IReadOnlyList<string?> Parameters)
{
    /// <summary>A statement without parameters.</summary>
    public FunctionStatement(string sql)
        : this(sql, []) { }

    /// <summary>
    /// For each parameter, the bytes of a number (4 or 8) if it is an array of floating-point numbers, little-endian in the form of bytea;
    /// else 0. Null: none is. Such a parameter is a vector or an array where the server infers one.
    /// </summary>
    public IReadOnlyList<byte>? FloatSizes { get; init; }
}

using Functions.PgSidecar.Postgres.Errors;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// Decides which statements a function may send. Roles decide what a statement may touch; the gate keeps its effects from outliving it on a
/// shared connection.
/// </summary>
internal static class StatementGate
{
    /// <exception cref="FunctionSqlException">The statement is not for functions, or not for this role
    /// (<see cref="SqlErrorCodes.StatementRefused"/>).</exception>
    public static void Check(SqlStatement statement, bool isService)
    {
        var allowed =
            statement.Kind is StatementKind.Data or StatementKind.Explain
            || (isService && statement.Kind is (StatementKind.Definition or StatementKind.Service or StatementKind.SelectInto));
        if (!allowed)
            throw Refused(statement);
        if (!isService && statement.RefusedForUsers is { } part)
        {
            throw new FunctionSqlException(
                SqlErrorCodes.StatementRefused,
                $"A function may not use {part} in its statements.",
                "It would outlast the statement or reach beyond the caller's rows. If it must be, a function of the database can do it for you."
            );
        }
    }

    private static FunctionSqlException Refused(SqlStatement statement)
    {
        var (what, hint) = statement.Kind switch
        {
            StatementKind.TransactionControl => (
                statement.Command,
                "Use batch or transaction: the sidecar begins, commits and rolls back."
            ),
            StatementKind.Setting => (
                statement.Command,
                "Settings belong to the connection, which is shared. A function of the database can have settings of its own (create function ... set ...)."
            ),
            StatementKind.Session => (
                statement.Command,
                "What it makes would stay on a connection that is shared. Send the statement itself."
            ),
            StatementKind.Copy => (
                "COPY",
                "Use insert into ... select from unnest($1::type[], ...) to write many rows, select to read them."
            ),
            StatementKind.SelectInto => (
                "SELECT INTO",
                "Only the service role may create tables. Read the rows, or insert them into a table that exists."
            ),
            StatementKind.Definition => (
                statement.Command,
                "Only the service role may change the schema, where it was given the right to."
            ),
            StatementKind.Service => (statement.Command, "Only the service role may run it."),
            _ => (statement.Command.Length > 0 ? statement.Command : "a text that starts like no statement", (string?)null),
        };
        return new FunctionSqlException(SqlErrorCodes.StatementRefused, $"A function may not run {what}.", hint);
    }
}

using Npgsql;

namespace Functions.PgSidecar.Core.Management;

/// <summary>What the errors of SQL functions are over HTTP.</summary>
internal static class ManagementErrors
{
    /// <summary>The answer to a request whose statement failed; null for failures that are not about the request.</summary>
    public static ManagementAnswer? Explain(string sqlState, string message, string? hint)
    {
        (int Status, string Code)? found = sqlState switch
        {
            PostgresErrorCodes.UndefinedObject => (404, "NOT_FOUND"),
            PostgresErrorCodes.InsufficientPrivilege => (403, "FORBIDDEN"),
            PostgresErrorCodes.QueryCanceled => (504, "TIMEOUT"),
            PostgresErrorCodes.DuplicateObject
            or PostgresErrorCodes.SerializationFailure
            or PostgresErrorCodes.DeadlockDetected
            or PostgresErrorCodes.ActiveSqlTransaction => (409, "MANAGEMENT_CONFLICT"),
            // Objects that are in use, locked or not ready.
            ['5', '5', ..] => (409, "MANAGEMENT_CONFLICT"),
            // What the request's values cause: data, names, features, limits, and the errors that SQL functions raise without a code.
            ['2', '2', ..] or ['2', '3', ..] or ['4', '2', ..] or ['0', 'A', ..] or ['5', '4', ..] or PostgresErrorCodes.RaiseException => (
                400,
                "VALIDATION_ERROR"
            ),
            _ => null,
        };
        if (found is not { } answer)
            return null;
        var text = string.IsNullOrEmpty(hint) ? message : $"{message.TrimEnd('.')}. {hint}";
        return new ManagementAnswer(answer.Status, answer.Code, text);
    }
}

using System.Runtime.CompilerServices;
using Npgsql;

namespace Functions.PgSidecar.Postgres.Statements;

/// <summary>
/// Asks the server for every value of a batch in text form, as the public NpgsqlCommand.AllResultTypesAreUnknown does for a command. On
/// NpgsqlBatch the same property is internal (npgsql/npgsql#3922). This is the only access to a non-public member of Npgsql;
/// docs/decisions/0015 gives the reason.
/// </summary>
internal static class TextResults
{
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "set_AllResultTypesAreUnknown")]
    public static extern void SetAllResultTypesAreUnknown(this NpgsqlBatch batch, bool value);
}

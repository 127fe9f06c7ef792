namespace Functions.PgSidecar.Core.Ai.Limits;

/// <summary>Whom a limit concerns; the numbers are compared in the database (<c>functions.limit_ai</c>).</summary>
/// <param name="Function">The function; empty: every function, and clients.</param>
/// <param name="Role">The role; empty: every role.</param>
/// <param name="IsOfCost">Whether it limits money.</param>
internal sealed record AiLimit(string Function, string Role, bool IsOfCost)
{
    /// <summary>Whether a caller has it.</summary>
    public bool Concerns(AiCaller caller) =>
        (Function.Length == 0 || Function == caller.Function) && (Role.Length == 0 || Role == caller.Role);
}

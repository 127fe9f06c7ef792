using Functions.PgSidecar.Core.Invocations;

namespace Functions.PgSidecar.Core.Bindings;

/// <summary>
/// A capability that functions are given. One instance per process; it opens a session for each invocation that uses it, at the first use.
/// Settings of a version (allow lists, variables) are part of the function's definition.
/// </summary>
internal interface IBinding
{
    /// <summary>The names of its operations up to the first dot: <c>db</c> for <c>db.query</c>.</summary>
    string Name { get; }

    /// <summary>Opens a session. Called on a sandbox thread; must not block.</summary>
    BindingSession Open(Invocation invocation);
}

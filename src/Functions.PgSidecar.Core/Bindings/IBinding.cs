using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Sandbox.JavaScript;

namespace Functions.PgSidecar.Core.Bindings;

/// <summary>
/// A power that functions are given. Made once a process; asked once an invocation, at its first use, for what serves that
/// invocation. What belongs to a version (allow-lists, variables) is part of the function's definition.
/// </summary>
internal interface IBinding
{
    /// <summary>The names of its operations up to the first dot: <c>db</c> for <c>db.query</c>.</summary>
    string Name { get; }

    /// <summary>Called on a sandbox thread; must not wait.</summary>
    IBindingSession Open(Invocation invocation);
}

/// <summary>A binding in the hands of one invocation.</summary>
internal interface IBindingSession : IAsyncDisposable
{
    /// <summary>Begins an operation. Called on a sandbox thread, one operation at a time; must not wait.</summary>
    void Start(GuestOperation operation);
}

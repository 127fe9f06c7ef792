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

    /// <summary>
    /// What the operation with this error code really failed of, if it was no failure of the function's: asked when the function did not catch the error. The code
    /// alone proves nothing, because functions choose the codes of what they throw.
    /// </summary>
    OutsideTrouble Explain(string code) => OutsideTrouble.None;
}

/// <summary>Passing trouble outside of the function, with which one of its operations failed.</summary>
internal enum OutsideTrouble
{
    /// <summary>Nothing of the kind.</summary>
    None,

    /// <summary>Another transaction was in the way, this time.</summary>
    Contention,

    /// <summary>All database connections of the caller's role were in use.</summary>
    ConnectionsInUse,

    /// <summary>The server can't be reached, or takes no work.</summary>
    ServerAway,
}

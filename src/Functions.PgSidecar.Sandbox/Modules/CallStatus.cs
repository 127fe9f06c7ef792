namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>How a module's call of its host ended: the result of an import. docs/wasm-abi.md is the contract.</summary>
public enum CallStatus
{
    /// <summary>The call is done.</summary>
    Ok = 0,

    /// <summary>The call failed; the result is an error as JSON.</summary>
    Failed = 1,

    /// <summary>No variable has that name.</summary>
    NotFound = 2,

    /// <summary>A pointer is not wholly inside memory. The call did nothing and has no result.</summary>
    Fault = 3,
}

namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>Results of the imports of <see cref="BindingCalls"/> and <see cref="AerodbCalls"/>.</summary>
internal enum CallStatus
{
    Ok = 0,

    /// <summary>The call failed; the result is an error as JSON.</summary>
    Failed = 1,

    /// <summary>No variable has that name.</summary>
    NotFound = 2,

    /// <summary>A pointer is not wholly inside memory. The call did nothing and has no result.</summary>
    Fault = 3,
}

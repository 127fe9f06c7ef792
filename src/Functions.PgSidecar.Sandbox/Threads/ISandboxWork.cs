namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>A turn of guest code that wants a sandbox thread.</summary>
internal interface ISandboxWork
{
    /// <summary>
    /// Runs until the guest has nothing to do or is stopped. Must not throw and must not wait for I/O.
    /// </summary>
    void Execute(SandboxThread thread);
}

namespace Functions.PgSidecar.Sandbox.Threads;

/// <summary>A turn of guest code that needs a sandbox thread.</summary>
internal interface ISandboxWork
{
    /// <summary>
    /// Runs until the guest has nothing left to do or is stopped. It must not throw and must not wait for I/O.
    /// </summary>
    void Execute(SandboxThread thread);
}

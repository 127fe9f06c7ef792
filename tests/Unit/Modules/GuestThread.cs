using System.Runtime.ExceptionServices;
using Functions.PgSidecar.Sandbox.Threads;

namespace Functions.PgSidecar.Tests.Unit.Modules;

/// <summary>Runs a test's body on a thread with the stack that guest code needs.</summary>
internal static class GuestThread
{
    public static void Run(Action action)
    {
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    action();
                }
                catch (Exception exception)
                {
                    failure = ExceptionDispatchInfo.Capture(exception);
                }
            },
            SandboxThread.StackBytes
        );
        thread.Start();
        thread.Join();
        failure?.Throw();
    }
}

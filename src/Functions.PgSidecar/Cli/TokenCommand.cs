using System.CommandLine;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Auth;

namespace Functions.PgSidecar.Cli;

/// <summary><c>pgfn token</c>: prints a token that this installation accepts, for trying things out.</summary>
internal static class TokenCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var role = new Option<string>("--role") { Description = "The database role.", DefaultValueFactory = static _ => "authenticated" };
        var subject = new Option<string?>("--sub") { Description = "The user's id: functions.uid(), event.user_id." };
        var hours = new Option<int>("--hours") { Description = "How long it is valid.", DefaultValueFactory = static _ => 24 };
        var command = new Command("token", "Print a token signed with PGFN_JWT_SECRET.") { role, subject, hours };
        command.SetAction(parsed =>
        {
            if (Environment.GetEnvironmentVariable("PGFN_JWT_SECRET") is not { Length: > 0 } secret)
            {
                Console.Error.WriteLine("PGFN_JWT_SECRET: is not set; tokens are signed with it.");
                return Settings.ExitCode;
            }
            try
            {
                var signer = new TokenSigner(secret, TimeProvider.System);
                Console.WriteLine(signer.Sign(parsed.GetRequiredValue(role), parsed.GetValue(subject), TimeSpan.FromHours(parsed.GetValue(hours))));
                return 0;
            }
            catch (SidecarException e)
            {
                Console.Error.WriteLine($"PGFN_JWT_SECRET: {e.Message}");
                return Settings.ExitCode;
            }
        });
        return command;
    }
}

using System.CommandLine;
using System.Globalization;
using Functions.PgSidecar.Core;
using Functions.PgSidecar.Core.Auth;

namespace Functions.PgSidecar.Cli;

/// <summary><c>pgfn token</c>: prints a token that this installation accepts, for trying things out.</summary>
internal static class TokenCommand
{
    private const string SecretName = "PGFN_JWT_SECRET";

    /// <summary>A token is useless after its secret has changed; the limit also keeps <c>exp</c> in a valid range.</summary>
    private const int MaxHours = 10 * 365 * 24;

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var role = new Option<string>("--role") { Description = "The database role.", DefaultValueFactory = static _ => "authenticated" };
        var subject = new Option<string?>("--sub") { Description = "The user's id: functions.uid(), event.user_id." };
        var hours = new Option<int>("--hours") { Description = "How long it is valid.", DefaultValueFactory = static _ => 24 };
        hours.Validators.Add(result =>
        {
            if (
                result.Tokens is [{ Value: var text }]
                && int.TryParse(text, CultureInfo.InvariantCulture, out var given)
                && given is < 1 or > MaxHours
            )
                result.AddError($"--hours takes a number from 1 to {MaxHours}.");
        });
        var command = new Command("token", $"Print a token signed with {SecretName}.") { role, subject, hours };
        command.SetAction(parsed =>
            Print(parsed.GetRequiredValue(role), parsed.GetValue(subject), TimeSpan.FromHours(parsed.GetValue(hours)))
        );
        return command;
    }

    private static int Print(string role, string? subject, TimeSpan lifetime)
    {
        if (Settings.LoadSecret(SecretName, "is not set; tokens are signed with it.") is not { } secret)
            return Settings.ExitCode;
        try
        {
            Console.WriteLine(new TokenSigner(secret, TimeProvider.System).Sign(role, subject, lifetime));
            return 0;
        }
        catch (SidecarException e)
        {
            Console.Error.WriteLine(e.Message);
            return Settings.ExitCode;
        }
    }
}

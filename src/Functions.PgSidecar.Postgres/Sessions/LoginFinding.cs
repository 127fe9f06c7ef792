namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>A change that a function's code made to the login of its role, and that was reverted.</summary>
/// <param name="Login">The login role.</param>
/// <param name="Text">What was found and what the sidecar did.</param>
public sealed record LoginFinding(string Login, string Text);

namespace Functions.PgSidecar.Postgres.Sessions;

/// <summary>Something that code has done to the login of its role, and that was undone.</summary>
/// <param name="Login">The login role.</param>
/// <param name="Text">What was found, and what was done about it.</param>
public sealed record LoginFinding(string Login, string Text);

namespace BlockRepl.Iscsi.Protocol.Login;

/// <summary>A CHAP name with its secret, which no text of this type shows.</summary>
public sealed class ChapAccount(string user, string secret)
{
    public string User { get; } = user;

    internal string Secret { get; } = secret;

    public override string ToString() => User + " (secret not shown)";
}

/// <summary>Who proves what.</summary>
/// <param name="Initiator">What we prove to the target (its incoming account).</param>
/// <param name="Target">What the target must prove to us; null if it need not.</param>
public sealed record ChapCredentials(ChapAccount Initiator, ChapAccount? Target);

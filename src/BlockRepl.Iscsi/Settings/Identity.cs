using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;

namespace BlockRepl.Iscsi.Settings;

/// <summary>Who we are for a target: the initiator's name and the accounts.</summary>
internal sealed record Identity(string InitiatorName, ChapCredentials? Chap)
{
    // The names that libiscsi reads.
    private const string User = "LIBISCSI_CHAP_USERNAME";
    private const string Password = "LIBISCSI_CHAP_PASSWORD";
    private const string TargetUser = "LIBISCSI_CHAP_TARGET_USERNAME";
    private const string TargetPassword = "LIBISCSI_CHAP_TARGET_PASSWORD";

    /// <summary>
    /// Accounts come from the address, then from the environment, for each direction on its own; if neither has one for
    /// us, from open-iscsi's files.
    /// </summary>
    public static Identity Find(IscsiAddress address, OpenIscsiFiles files, Func<string, string?> environment)
    {
        ChapAccount? initiator = address.Initiator ?? FromEnvironment(environment, User, Password);
        ChapAccount? target = address.Target ?? FromEnvironment(environment, TargetUser, TargetPassword);
        ChapCredentials? chap = initiator is not null
            ? new ChapCredentials(initiator, target)
            : files.Accounts(address.TargetName, address.Portal);
        if (chap is null && target is not null)
        {
            throw new IscsiException(
                IscsiError.BadConfiguration,
                "the target is to prove itself, so we must too: give user%password@ in the address as well");
        }

        // RFC 7143, 12.1.3: with one secret for both an impostor could have us compute his proof.
        if (chap?.Target is not null && chap.Target.Secret == chap.Initiator.Secret)
        {
            throw new IscsiException(
                IscsiError.BadConfiguration,
                $"the users {chap.Initiator.User} and {chap.Target.User} have the same secret: choose two");
        }

        return new Identity(files.InitiatorName() ?? GeneratedName(), chap);
    }

    private static string GeneratedName() =>
        "iqn.2026-11.local.blockrepl:" + Environment.MachineName.ToLowerInvariant();

    private static ChapAccount? FromEnvironment(Func<string, string?> environment, string user, string password) =>
        (environment(user), environment(password)) switch
        {
            (null or "", null or "") => null,
            ({ Length: > 0 } name, { Length: > 0 } secret) => new ChapAccount(name, secret),
            _ => throw new IscsiException(
                IscsiError.BadConfiguration, $"only one of the variables {user} and {password} is set"),
        };
}

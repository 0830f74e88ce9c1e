namespace BlockRepl.Iscsi.Protocol.Login;

/// <summary>What the status of a refused login means (RFC 7143, 11.13.5), in words that say what to do.</summary>
internal static class LoginStatus
{
    public static IscsiException Refusal(byte statusClass, byte detail, ChapCredentials? chap, string target) =>
        (statusClass << 8 | detail) switch
        {
            0x0201 when chap is null => new(
                IscsiError.AuthenticationFailed,
                "the target wants a CHAP login and no user and password are known for it: "
                + "give them in the address (user%password@), in the environment or in open-iscsi's node file"),
            0x0201 => new(
                IscsiError.AuthenticationFailed,
                $"the target refused CHAP user {Printable.Text(chap.Initiator.User)}: "
                + "check the name and the secret (the target's incoming account)"),
            0x0202 => new(
                IscsiError.LoginRefused,
                "the target does not allow this initiator: add our initiator name or address to its access list"),
            0x0203 => new(
                IscsiError.TargetNotFound,
                $"the portal knows no target {target}: check the name in the address"),
            0x0204 => new(IscsiError.TargetNotFound, $"the target {target} has been removed from this portal"),
            0x0205 => new(IscsiError.LoginRefused, "the target does not speak this version of iSCSI"),
            0x0206 => new(IscsiError.LoginRefused, "the target allows no more connections in the session"),
            0x0207 => new(IscsiError.LoginRefused, "the target misses a parameter in the login"),
            0x0208 => new(IscsiError.LoginRefused, "the target cannot be in this session"),
            0x0209 => new(IscsiError.LoginRefused, "the target does not support this type of session"),
            0x020a => new(IscsiError.LoginRefused, "the target has lost the session that was to be continued"),
            0x020b => new(IscsiError.LoginRefused, "the target refuses the request in this stage of the login"),
            0x0301 => new(IscsiError.LoginRefused, "the target is not operational now"),
            0x0302 => new(IscsiError.LoginRefused, "the target has no resources for another session"),
            _ when statusClass == 2 => new(
                IscsiError.LoginRefused, $"the target refused the login, status 0x02{detail:x2}"),
            _ when statusClass == 3 => new(
                IscsiError.LoginRefused, $"the target failed in the login, status 0x03{detail:x2}"),
            _ => IscsiException.Violation($"login status 0x{statusClass:x2}{detail:x2}"),
        };
}

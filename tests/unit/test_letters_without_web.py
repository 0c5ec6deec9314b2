"""What a question's mail says where no web API is deployed."""

from __future__ import annotations

from lockkeeper.adapters.in_memory import InMemoryWorld

from tests.unit.harbour import Harbour, package_arn


def test_a_mail_without_a_web_names_studio_and_the_version_and_no_link() -> None:
    harbour = Harbour(world=InMemoryWorld(web_url=""))
    harbour.register(1)
    texts = [letter.text for letter in harbour.world.mail.letters]
    assert len(texts) == 2
    for text in texts:
        assert "SageMaker Studio" in text
        assert package_arn(1) in text
        assert "/approvals/" not in text
        # The command's route is part of the web API.
        assert "lockkeeper approve" not in text


def test_a_mail_with_a_web_names_the_command_to_who_may_use_it() -> None:
    harbour = Harbour()
    harbour.register(1)
    by_name = {letter.approver: letter.text for letter in harbour.world.mail.letters}
    assert "lockkeeper approve wages-v1-a1" in by_name["Ada"]
    assert "lockkeeper approve" not in by_name["Grace"]
    assert all("/approvals/" in text and "Studio" not in text for text in by_name.values())
